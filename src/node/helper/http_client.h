/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* HTTP requests with libcurl, a few at once, their connections kept for the next. Every wait and every answer is
 * bounded: 3 s to connect, 5 s in all, 64 KB. No redirects, no cookies, no names looked up. One thread. */

#include "base/addr.h"
#include "base/err.h"
#include "node/helper/http_handle.h"
#include <stddef.h>

#define HTTP_REQUESTS_MAX 12 /* at once: for each backbone a registration, a look-up, a network check */
#define HTTP_BODY_MAX     65536

struct http_client;

struct http_request {
    const struct proxy *proxy; /* by which it goes; its URL may be empty. Borrowed until the process ends */
    const char *url;
    uint32_t interface;           /* by which it leaves; 0: as the kernel chooses */
    const char *json;             /* its body, for POST; NULL: GET */
    const struct addr *addresses; /* of the URL's host; not looked at when the URL has an address */
    unsigned address_count;
};

struct http_answer {
    long status; /* 200 …; 0 when there was no answer, and cause says why */
    const char *body;
    size_t len;
    const char *cause; /* one short phrase */
    struct addr
        remote; /* the server's address, with its port; behind a proxy only what the URL itself has, else family 0 */
    uint64_t date_s; /* its clock, seconds since 1970; 0 when it did not tell */
};

/* On an error failed says what is the matter, for a person. Before the cage. */
int http_client_new(struct http_client **out, char *failed, size_t size) must_check;

/* Begins; returns its place, 0 to HTTP_REQUESTS_MAX - 1. ERR_SPACE when all are taken, ERR_NOMEM. */
int http_client_start(struct http_client *h, const struct http_request *request) must_check;

/* Waits until a request made progress, or something comes to pass on one of fds (their revents), for timeout_ms at
 * most. */
void http_client_wait(struct http_client *h, struct curl_waitfd *fds, unsigned count, int timeout_ms);

/* Borrowed, for others in the process. */
const struct curl_library *http_client_library(const struct http_client *h);

/* The place of one that is done, with its answer, or ERR_AGAIN. What answer points to is borrowed until the next
 * http_client_start. */
int http_client_take(struct http_client *h, struct http_answer *answer) must_check;
