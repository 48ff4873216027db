/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where an http:// or https:// URL leads. */

#include <stdbool.h>
#include <stdint.h>

#define HTTP_AUTHORITY_MAX 264 /* a host in brackets, a port, and its NUL */

struct http_url {
    char host[256]; /* without brackets */
    uint16_t port;
    bool is_secure;
    bool is_address; /* nothing is to be looked up */
    char authority
        [HTTP_AUTHORITY_MAX]; /* "host", "host:8080", "[fd00::1]:8080": as it was given, in lower case */
    const char *path;         /* what follows, borrowed from the URL: empty, or from its slash on */
};

/* The URL is one that node/config takes, or one that begins so. False when its host is too long. */
bool http_url_parse(const char *url, struct http_url *out);
