/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A folder that only we or root can change, and whole files in it: what is read there was not chosen by somebody else, and
 * what is written there is on disk whole or not at all. Control thread. */

#include "base/err.h"
#include "base/own_file.h"
#include <stddef.h>
#include <stdint.h>

#define FOLDER_NAME_MAX 64 /* a file's name here, and a NUL */

/* Opens dir, whose way may lead through symbolic links: what is judged is the folder that was opened. ERR_NOT_FOUND,
 * ERR_FOLDER when it belongs neither to us nor to root, or others can write to it and it is not sticky. ERR_PERMISSION,
 * ERR_IO (errno). The descriptor is the caller's. */
int folder_open(const char *dir, int *out) must_check;

/* Reads the whole file name, of fewer than cap bytes. ERR_NOT_FOUND, ERR_SYMLINK when it is a symbolic link, ERR_FORMAT
 * when it is no file or is longer, ERR_FOREIGN when it belongs neither to us nor to root or others can write it,
 * ERR_EXPOSED when kind is OWN_FILE_PRIVATE and others can read it, ERR_PERMISSION, ERR_IO (errno). */
int folder_read(int dir_fd, const char *name, enum own_file kind, uint8_t *out, size_t cap,
                size_t *len) must_check;

/* Writes a new file, of mode 0600 or 0644 as kind says, and waits until it is on disk. ERR_EXISTS when there is one; ERR_IO
 * (errno) when the disk is full: then nothing is left of it. */
int folder_write(int dir_fd, const char *name, enum own_file kind, const void *data, size_t len) must_check;

/* Likewise, in the place of an older file of that name if there is one, which stays on an error. ERR_SPACE when the name
 * is too long. One writer at a time for a name. */
int folder_replace(int dir_fd, const char *name, enum own_file kind, const void *data, size_t len) must_check;
