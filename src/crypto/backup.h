/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network's files of one machine as one piece of bytes: what brings a member, an issuer or a CA back. Any thread.
 * docs/PROTOCOL.md §28. */

#include "base/bytes.h"
#include "base/err.h"
#include "base/folder.h"
#include "crypto/cert.h"

#define BACKUP_MAX       (4u << 20) /* bytes of a whole one */
#define BACKUP_FILES_MAX 64

enum backup_folder {
    BACKUP_NETWORK = 1, /* what people edit, and the CA's key */
    BACKUP_NODE = 2,    /* KEYDIR */
    BACKUP_LISTS = 3,   /* KEYDIR/lists */
};

struct backup_file {
    enum backup_folder folder;
    char name[FOLDER_NAME_MAX];
    struct slice bytes; /* borrowed */
};

struct backup {
    char network[CERT_LABEL_MAX];
    uint64_t time; /* when it was made, seconds since 1970 */
    unsigned count;
    struct backup_file files[BACKUP_FILES_MAX]; /* by folder, then by name; none twice */
};

/* Its place among the files. ERR_SPACE when there are too many, ERR_ARGUMENT for one that is there or has no name for a file. */
int backup_add(struct backup *b, const struct backup_file *file) must_check;

/* NULL when it has none of that name. */
const struct backup_file *backup_find(const struct backup *b, enum backup_folder folder, const char *name);

/* ERR_SPACE when it has no room. */
int backup_encode(const struct backup *b, uint8_t *out, size_t cap, size_t *len) must_check;

/* A view of bytes. ERR_FORMAT when they are no backup, ERR_UNSUPPORTED when one of another version, ERR_MISMATCH when one that was
 * cut or altered. On an error out has no files. */
int backup_decode(const uint8_t *bytes, size_t len, struct backup *out) must_check;
