/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What each connection by libcurl has, a request's (http_client.h) and the uplink's (tunnel.h): no names looked up, one
 * version of HTTP, failures in the words of people. One thread. */

#include "base/addr.h"
#include "node/config/proxy.h"
#include "node/helper/curl_library.h"

#define HTTP_CONNECT_MS 3000l
#define HTTP_CAUSE_MAX  256

struct http_handle {
    const struct curl_library *curl;
    const struct proxy *proxy;
    CURL *easy;
    uint32_t interface; /* by which its connections leave; 0: as the kernel chooses */
    struct curl_slist *resolve;
    char error[CURL_ERROR_SIZE];
};

/* Where it is stays the same until http_handle_fini. Borrows curl and proxy, whose URL may be empty. ERR_NOMEM. */
int http_handle_init(struct http_handle *h, const struct curl_library *curl,
                     const struct proxy *proxy) must_check;
void http_handle_fini(struct http_handle *h);

/* By another proxy from the next use on; borrowed likewise. */
void http_handle_go_by(struct http_handle *h, const struct proxy *proxy);

/* Connections that are made from now on leave by this interface; 0: as the kernel chooses. */
void http_handle_leave_by(struct http_handle *h, uint32_t interface);

/* Before each use: the URL, and where its host is, or the proxy if there is one: whose name it is then that the proxy looks
 * up. The addresses are not looked at when that URL has one. */
void http_handle_aim(struct http_handle *h, const char *url, const struct addr *addresses, unsigned count);

/* Whether the failure is that nobody has said anything, but our own kernel. */
bool http_handle_is_silence(const struct http_handle *h, CURLcode code);

/* What people call the failure, rather than what libcurl does; in out, or constant. */
const char *http_handle_failure(struct http_handle *h, CURLcode code, char out[HTTP_CAUSE_MAX]);
