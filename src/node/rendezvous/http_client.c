/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP with libcurl, bounded in time and size. A thread of libuv's pool at a time. */
#include "node/rendezvous/http_client.h"

#include "net/tcp.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 3000l
#define TOTAL_TIMEOUT_MS   5000l

struct http_client {
    CURL *curl;
    struct curl_slist *headers;
    atomic_bool aborted;
    size_t len;
    bool overlong;
    char error[CURL_ERROR_SIZE];
    char cause[HTTP_CAUSE_MAX];
    char body[HTTP_BODY_MAX + 1];
};

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct http_client *h = context;
    size_t n = size * count;
    if (n > HTTP_BODY_MAX - h->len) {
        h->overlong = true;
        return 0;
    }
    memcpy(h->body + h->len, data, n);
    h->len += n;
    return n;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct http_client *h = context;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load_explicit(&h->aborted, memory_order_relaxed);
}

static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)context, (void)purpose;
    tcp_limit_segments(fd);
    return CURL_SOCKOPT_OK;
}

static void set_options(struct http_client *h)
{
    CURL *c = h->curl;
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1l);
    curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, TOTAL_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0l);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_PROXY, ""); /* a proxy's address would be taken for the backbone's */
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "shadowmesh/" SHADOWMESH_VERSION);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0l);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
}

int http_client_new(struct http_client **out)
{
    struct http_client *h = calloc(1, sizeof(*h));
    if (!h)
        return ERR_NOMEM;
    atomic_init(&h->aborted, false);
    h->headers = curl_slist_append(NULL, "Content-Type: application/json");
    struct curl_slist *more = h->headers ? curl_slist_append(h->headers, "Expect:") : NULL;
    h->curl = more ? curl_easy_init() : NULL;
    if (!h->curl) {
        http_client_free(h);
        return ERR_NOMEM;
    }
    set_options(h);
    *out = h;
    return 0;
}

void http_client_free(struct http_client *h)
{
    if (!h)
        return;
    if (h->curl)
        curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->headers);
    free(h);
}

void http_client_abort(struct http_client *h)
{
    atomic_store_explicit(&h->aborted, true, memory_order_relaxed);
}

/* What people call it, rather than what libcurl does. */
static const char *describe_failure(struct http_client *h, CURLcode code)
{
    long os_errno = 0;
    curl_off_t connect_us = 0, name_us = 0;
    char text[128];
    curl_easy_getinfo(h->curl, CURLINFO_OS_ERRNO, &os_errno);
    curl_easy_getinfo(h->curl, CURLINFO_CONNECT_TIME_T, &connect_us);
    curl_easy_getinfo(h->curl, CURLINFO_NAMELOOKUP_TIME_T, &name_us);
    if (h->overlong)
        return "its answer is longer than 64 KB";
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return "its name cannot be resolved";
    if (code == CURLE_SSL_CONNECT_ERROR && strstr(h->error, "wrong version number"))
        return "it does not speak TLS there: give http:// instead of https://, or the port of its TLS proxy";
    if (code == CURLE_OPERATION_TIMEDOUT && name_us == 0)
        return "no name server answers within 3 s";
    if (code == CURLE_OPERATION_TIMEDOUT)
        return connect_us == 0 ? "no connection within 3 s" : "no answer within 5 s";
    if (code == CURLE_COULDNT_CONNECT && os_errno != 0)
        snprintf(h->cause, sizeof(h->cause), "%s", strerror_r((int)os_errno, text, sizeof(text)));
    else
        snprintf(h->cause, sizeof(h->cause), "%s", h->error[0] ? h->error : curl_easy_strerror(code));
    return h->cause;
}

static void read_remote(struct http_client *h, struct addr *out)
{
    char *ip = NULL;
    long port = 0;
    curl_easy_getinfo(h->curl, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(h->curl, CURLINFO_PRIMARY_PORT, &port);
    if (!ip || addr_parse(ip, (uint16_t)port, out) != 0)
        *out = (struct addr){0};
}

void http_client_perform(struct http_client *h, const char *url, const char *json, struct http_answer *answer)
{
    *answer = (struct http_answer){.body = h->body, .cause = ""};
    h->len = 0;
    h->overlong = false;
    h->error[0] = '\0';
    curl_easy_setopt(h->curl, CURLOPT_URL, url);
    if (json) {
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, json);
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(json));
    } else {
        curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1l);
    }
    CURLcode code = curl_easy_perform(h->curl);
    h->body[h->len] = '\0';
    if (code != CURLE_OK) {
        answer->cause = describe_failure(h, code);
        return;
    }
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    answer->len = h->len;
    read_remote(h, &answer->remote);
}
