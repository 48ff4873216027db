/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* CONNECT of HTTP (RFC 9110 §9.3.6, in the form of RFC 9112), a proxy's side. Pure. */

#include "base/bytes.h"
#include "proto/doors/destination.h"
#include "proto/doors/outcome.h"

#define HTTP_CONNECT_MAX       8192 /* bytes of a request's head */
#define HTTP_CONNECT_REPLY_MAX 512

struct http_connect {
    bool unknown; /* another method: there is no destination */
    struct slice
        credentials; /* of Proxy-Authorization: Basic (RFC 7617), in base64; in the bytes that were read. Empty: none */
    struct destination to;
};

/* Reads the head of a request from the beginning of bytes on. Returns its length, 0 while more is needed, or ERR_FORMAT. */
int http_connect_read(struct slice bytes, struct http_connect *out) must_check;

/* The answer, and what one is told whose words are wrong or missing, or whose request is none. Each returns its length. */
size_t http_connect_reply(enum outcome outcome, char out[HTTP_CONNECT_REPLY_MAX]);
size_t http_connect_refuse_words(char out[HTTP_CONNECT_REPLY_MAX]);
size_t http_connect_refuse_malformed(char out[HTTP_CONNECT_REPLY_MAX]);
