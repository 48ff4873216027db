/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What each connection by libcurl has, a request's (http_client.h) and the uplink's (tunnel.h): no names looked up, one
 * version of HTTP, failures in the words of people. One thread. */

#include "base/addr.h"
#include "node/helper/curl_library.h"

#define HTTP_CONNECT_MS 3000l
#define HTTP_CAUSE_MAX  256

struct http_handle {
    const struct curl_library *curl;
    CURL *easy;
    struct curl_slist *resolve;
    char error[CURL_ERROR_SIZE];
};

/* ERR_NOMEM. */
int http_handle_init(struct http_handle *h, const struct curl_library *curl) must_check;
void http_handle_fini(struct http_handle *h);

/* Before each use: the URL, and where its host is. The addresses are not looked at when the URL has one. */
void http_handle_aim(struct http_handle *h, const char *url, const struct addr *addresses, unsigned count);

/* What people call the failure, rather than what libcurl does; in out, or constant. */
const char *http_handle_failure(struct http_handle *h, CURLcode code, char out[HTTP_CAUSE_MAX]);
