/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One HTTP request at a time, with libcurl, its connection kept for the next. Every wait and every answer is
 * bounded: 3 s to connect, 5 s in all, 64 KB. No redirects, no proxy, no cookies. A client belongs to one
 * thread at a time, usually one of libuv's pool; http_client_abort alone may come from another. */

#include "base/addr.h"
#include "base/err.h"
#include <stddef.h>

#define HTTP_BODY_MAX  65536
#define HTTP_CAUSE_MAX 256

struct http_client;

struct http_answer {
    long status; /* 200 …; 0 when there was no answer, and cause says why */
    const char *body;
    size_t len;
    const char *cause;  /* one short phrase */
    struct addr remote; /* the server's address, with its port */
};

int http_client_new(struct http_client **out) must_check;

/* NULL is allowed. */
void http_client_free(struct http_client *h);

/* The request in the works ends within a second, and later ones fail at once. Any thread. */
void http_client_abort(struct http_client *h);

/* GET, or POST when json is not NULL. What answer points to is borrowed until the next request. */
void http_client_perform(struct http_client *h, const char *url, const char *json,
                         struct http_answer *answer);
