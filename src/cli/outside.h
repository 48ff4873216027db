/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A file that a person names anywhere, as on a stick that is put away: not in folders of ours, so nobody is trusted for where it
 * lies. Who reads it judges what is in it. */

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* Writes a new file, mode 0600, which is on disk when it returns. ERR_EXISTS when there is one; ERR_PERMISSION, ERR_NOT_FOUND,
 * ERR_IO (errno): then nothing is left of it. */
int outside_write(const char *path, const void *data, size_t len) must_check;

/* Reads the whole of a regular file, of fewer than cap bytes. *shown: others may read it. ERR_NOT_FOUND, ERR_FORMAT when it is no
 * file or longer, ERR_PERMISSION, ERR_IO (errno). */
int outside_read(const char *path, void *out, size_t cap, size_t *len, bool *shown) must_check;

/* Likewise a file of a folder in which somebody else may write: one that has no other name, so that he cannot have us read what he may
 * not. ERR_SYMLINK. */
int outside_read_in(int dir_fd, const char *name, void *out, size_t cap, size_t *len) must_check;
