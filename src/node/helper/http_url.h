/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where an http:// or https:// URL leads. */

#include <stdbool.h>
#include <stdint.h>

struct http_url {
    char host[256]; /* without brackets */
    uint16_t port;
    bool is_address; /* nothing is to be looked up */
};

/* The URL is one that node/config takes, or one that begins so. False when its host is too long. */
bool http_url_parse(const char *url, struct http_url *out);
