/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which server a shared store is, and as whom it is entered: what -store and -store-password-file say. Read once, at the
 * start. A password never stands in a flag, which everybody may read who may list processes. */

#include "base/addr.h"
#include "base/err.h"
#include <stdbool.h>

#define REDIS_PORT          6379
#define REDIS_ADDRESSES_MAX 8
#define REDIS_DATABASE_MAX  9999
#define REDIS_PASSWORD_MAX  256                         /* with its NUL */
#define REDIS_PASSWORD_NAME "SHADOWMESH_STORE_PASSWORD" /* in the environment */

struct redis_target {
    bool given;        /* -store */
    bool has_password; /* the URL has one, which is refused: nothing else of it was read */
    bool tls;
    char path[108]; /* of a unix socket; empty: host and port */
    char host[254];
    uint16_t port;
    unsigned database;
    char user[128];                    /* empty: the server's default one */
    char password[REDIS_PASSWORD_MAX]; /* empty: none */
    char shown[384];                   /* for people: without user */
    unsigned count;                    /* of addresses, once host was resolved */
    struct addr addresses[REDIS_ADDRESSES_MAX];
};

/* "redis://[USER@]HOST[:PORT][/DB]", "rediss://" likewise, "unix:///PATH". NULL, or what is wrong, as the end of a
 * sentence. */
const char *redis_target_read(struct redis_target *t, const char *text);

/* The first line of a file that others cannot read. NULL, or what is wrong. */
const char *redis_target_read_password(struct redis_target *t, const char *path);
/* The password of the environment, where no file gave one; it is taken out of it. */
const char *redis_target_take_environment(struct redis_target *t);

/* len bytes of what the server says, as a string of size bytes at most for people: *** where it cites the password, or a
 * beginning of it of 8 bytes or more. */
void redis_target_mask(const struct redis_target *t, const char *text, size_t len, char *out, size_t size);

/* Looks the host's name up. May take long: at the start, before anything is served. NULL, or why it is not found. */
const char *redis_target_resolve(struct redis_target *t);
