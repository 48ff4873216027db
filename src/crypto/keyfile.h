/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An identity's private key as a file. Control thread. */

#include "base/err.h"
#include <stdbool.h>

#define IDENTITY_KEY_FILE  "node.key"
#define IDENTITY_CA_FILE   "ca.key"
#define IDENTITY_DRAFT_MAX 32

struct identity;

/* Reads DIR/node.key, PKCS#8 PEM. ERR_NOT_FOUND when there is no such file, ERR_EXPOSED when group or others
 * can read it, ERR_FOREIGN when it belongs neither to us nor to root, ERR_SYMLINK when it is one, ERR_FORMAT when
 * it holds no ML-DSA-87 key, ERR_PERMISSION or ERR_IO (errno). ERR_FOLDER when DIR belongs neither to us nor to
 * root, or others can write to it and it is not sticky. DIR itself may be a symbolic link. */
int identity_load(const char *dir, struct identity **out) must_check;

/* Likewise DIR/name. */
int identity_load_as(const char *dir, const char *name, struct identity **out) must_check;

/* Writes DIR/node.key: mode 0600, temporary file, fsync, link(2), so a full disk leaves no half key, and a key
 * that is there already, or comes at that moment, is kept (ERR_EXISTS). Makes DIR (0700) when missing.
 * ERR_FOLDER as identity_load; ERR_PERMISSION, also where the file system has no hard links; ERR_IO (errno). */
int identity_save(const struct identity *me, const char *dir) must_check;

/* Likewise DIR/name, which is no longer than node.key. */
int identity_save_as(const struct identity *me, const char *dir, const char *name) must_check;

/* A key file that is whole, on disk and no key yet: its name is another one. */
struct identity_draft {
    const char *dir; /* borrowed */
    const char *key; /* the file that it is to become; borrowed */
    int dir_fd;
    bool made_dir;
    char name[IDENTITY_DRAFT_MAX];
};

/* The first half of identity_save, with its errors: then nothing is left. The second half is one of the two below, once,
 * by this process or a child of it; then the other one closes its dir_fd. */
int identity_draft(const struct identity *me, const char *dir, struct identity_draft *out) must_check;

/* Makes it DIR/node.key. On an error of identity_save nothing is left of it. */
int identity_publish(struct identity_draft *draft) must_check;

/* Removes it, and DIR if that was made for it. errno stays. */
void identity_discard(struct identity_draft *draft);
