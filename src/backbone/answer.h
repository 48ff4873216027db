/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Requests and answers of the HTTP API as values, and the few ways to fill an answer. Any thread. */

#include "backbone/upgrade.h"
#include "base/addr.h"
#include "base/bytes.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

struct request {
    const char *method, *path;
    const char *after, *limit; /* query arguments, NULL when absent */
    bool visits;               /* the argument of UPLINK_VISIT is there */
    struct slice body;         /* at most ROUTES_BODY_MAX bytes */
    struct upgrade_request upgrade;
    struct addr from;
    uint64_t now_us; /* of the monotonic clock, for rates */
    uint64_t now_s;  /* since 1970, for dates */
};

struct response {
    unsigned status;
    const char *type;                      /* Content-Type */
    const char *allow;                     /* for 405, else NULL */
    bool upgrade;                          /* for 426 */
    unsigned retry_after_s;                /* for 429 and 503, else 0 */
    char accept[WEBSOCKET_ACCEPT_LEN + 1]; /* for 101: the connection becomes an uplink; there is no body */
    char *body;                            /* malloc'd; the caller frees it. NULL without memory */
    size_t len;
};

/* An answer that was begun is whole. */
typedef void answer_done(void *context);

/* Takes value; NULL means that memory ran out while it was made, and becomes a 500. */
void answer_json(struct response *out, unsigned status, struct json_t *value);

/* {"error": why}, with Retry-After in the second form. */
void answer_error(struct response *out, unsigned status, const char *why);
void answer_error_later(struct response *out, unsigned status, unsigned retry_after_s, const char *why);

/* 503: the store fails. */
void answer_unavailable(struct response *out);

/* Base64 text of data; NULL without memory. */
struct json_t *answer_base64(const struct slice *data);
