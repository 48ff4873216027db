/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who asks, when a reverse proxy of ours passes the request on: X-Forwarded-For, read from its end, as far as those who
 * wrote it are trusted. Pure. */

#include "base/addr.h"
#include <stdbool.h>

#define FORWARDED_PROXIES_MAX 16
#define FORWARDED_TEXT_MAX    1024 /* of X-Forwarded-For: its end */

struct forwarded_proxies {
    unsigned count;
    struct addr_prefix list[FORWARDED_PROXIES_MAX];
};

/* "192.0.2.0/24", "2001:db8::/32", "127.0.0.1". NULL, or what is wrong, as the end of a sentence. */
const char *forwarded_add(struct forwarded_proxies *p, const char *text);

bool forwarded_trusts(const struct forwarded_proxies *p, const struct addr *from);

/* What has been read of the header. All zero: nothing. */
struct forwarded_text {
    char text[FORWARDED_TEXT_MAX];
    unsigned len;
};

/* One more header field, in the order of the request: of several, the last proxy's is the last. */
void forwarded_append(struct forwarded_text *t, const char *value, size_t len);

/* The source of a request that came from `from`: the rightmost address that is no trusted proxy's, without a port; the
 * leftmost when all are; from itself when it is not trusted, or the header says nothing. */
struct addr forwarded_source(const struct forwarded_proxies *p, const struct addr *from,
                             const struct forwarded_text *t);
