/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP with libcurl, bounded in time and size. */
#include "node/helper/http_client.h"

#include "node/helper/http_handle.h"
#include "node/helper/http_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOTAL_TIMEOUT_MS 5000l

struct transfer {
    struct http_handle http;
    bool busy;
    bool overlong;
    char *json;
    size_t len;
    char cause[HTTP_CAUSE_MAX];
    char body[HTTP_BODY_MAX + 1];
};

struct http_client {
    struct curl_library curl;
    CURLM *multi;
    struct curl_slist *headers;
    struct transfer transfers[HTTP_REQUESTS_MAX];
};

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    size_t n = size * count;
    if (n > HTTP_BODY_MAX - t->len) {
        t->overlong = true;
        return 0;
    }
    memcpy(t->body + t->len, data, n);
    t->len += n;
    return n;
}

static void set_options(struct transfer *t, struct curl_slist *headers)
{
    CURL *c = t->http.easy;
    const struct curl_library *curl = t->http.curl;
    curl->easy_setopt(c, CURLOPT_TIMEOUT_MS, TOTAL_TIMEOUT_MS);
    curl->easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl->easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl->easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl->easy_setopt(c, CURLOPT_PRIVATE, t);
}

static int init(struct http_client *h)
{
    static const struct proxy none;
    if (h->curl.global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        return ERR_NOMEM;
    h->headers = h->curl.slist_append(NULL, "Content-Type: application/json");
    struct curl_slist *more = h->headers ? h->curl.slist_append(h->headers, "Expect:") : NULL;
    h->multi = more ? h->curl.multi_init() : NULL;
    if (!h->multi)
        return ERR_NOMEM;
    for (unsigned i = 0; i < HTTP_REQUESTS_MAX; i++) {
        struct transfer *t = &h->transfers[i];
        if (http_handle_init(&t->http, &h->curl, &none))
            return ERR_NOMEM;
        set_options(t, h->headers);
    }
    return 0;
}

/* The process ends with it, so nothing is released. */
int http_client_new(struct http_client **out, char *failed, size_t size)
{
    struct http_client *h = calloc(1, sizeof(*h));
    snprintf(failed, size, "libcurl does not start: out of memory");
    if (!h)
        return ERR_NOMEM;
    int err = curl_library_load(&h->curl, failed, size);
    if (err)
        return err;
    err = init(h);
    if (!err)
        *out = h;
    return err;
}

/* libcurl does not know by which way a connection leaves that it keeps for others. */
static void set_way(struct transfer *t, uint32_t interface)
{
    http_handle_leave_by(&t->http, interface);
    t->http.curl->easy_setopt(t->http.easy, CURLOPT_FRESH_CONNECT, interface ? 1l : 0l);
    t->http.curl->easy_setopt(t->http.easy, CURLOPT_FORBID_REUSE, interface ? 1l : 0l);
}

static void set_request(struct transfer *t, const struct http_request *request)
{
    CURL *c = t->http.easy;
    const struct curl_library *curl = t->http.curl;
    http_handle_go_by(&t->http, request->proxy);
    set_way(t, request->interface);
    http_handle_aim(&t->http, request->url, request->addresses, request->address_count);
    if (t->json) {
        curl->easy_setopt(c, CURLOPT_POSTFIELDS, t->json);
        curl->easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(t->json));
    } else {
        curl->easy_setopt(c, CURLOPT_HTTPGET, 1l);
    }
}

int http_client_start(struct http_client *h, const struct http_request *request)
{
    unsigned i = 0;
    while (i < HTTP_REQUESTS_MAX && h->transfers[i].busy)
        i++;
    if (i == HTTP_REQUESTS_MAX)
        return ERR_SPACE;
    struct transfer *t = &h->transfers[i];
    free(t->json);
    t->json = request->json ? strdup(request->json) : NULL;
    t->len = 0;
    t->overlong = false;
    set_request(t, request);
    if ((request->json && !t->json) || h->curl.multi_add_handle(h->multi, t->http.easy) != CURLM_OK)
        return ERR_NOMEM;
    t->busy = true;
    return (int)i;
}

const struct curl_library *http_client_library(const struct http_client *h)
{
    return &h->curl;
}

void http_client_wait(struct http_client *h, struct curl_waitfd *fds, unsigned count, int timeout_ms)
{
    int running;
    (void)h->curl.multi_poll(h->multi, fds, count, timeout_ms, NULL); /* less where a request asks for it */
    (void)h->curl.multi_perform(h->multi, &running);
}

/* libcurl tells the proxy's address, if there is one. */
static void read_remote(struct transfer *t, struct addr *out)
{
    char *text = NULL;
    long port = 0;
    struct http_url url;
    const struct curl_library *curl = t->http.curl;
    bool proxied = t->http.proxy->url[0];
    curl->easy_getinfo(t->http.easy, CURLINFO_PRIMARY_PORT, &port);
    curl->easy_getinfo(t->http.easy, proxied ? CURLINFO_EFFECTIVE_URL : CURLINFO_PRIMARY_IP, &text);
    if (proxied && text && http_url_parse(text, &url)) {
        text = url.host;
        port = url.port;
    }
    if (!text || addr_parse(text, (uint16_t)port, out) != 0)
        *out = (struct addr){0};
}

static uint64_t read_date(struct transfer *t)
{
    struct curl_header *date;
    if (t->http.curl->easy_header(t->http.easy, "Date", 0, CURLH_HEADER, -1, &date) != CURLHE_OK)
        return 0;
    time_t s = t->http.curl->getdate(date->value, NULL);
    return s > 0 ? (uint64_t)s : 0;
}

static void read_answer(struct transfer *t, CURLcode code, struct http_answer *answer)
{
    t->body[t->len] = '\0';
    *answer = (struct http_answer){.body = t->body, .cause = ""};
    if (code != CURLE_OK) {
        answer->cause =
            t->overlong ? "its answer is longer than 64 KB" : http_handle_failure(&t->http, code, t->cause);
        return;
    }
    t->http.curl->easy_getinfo(t->http.easy, CURLINFO_RESPONSE_CODE, &answer->status);
    answer->len = t->len;
    answer->date_s = read_date(t);
    read_remote(t, &answer->remote);
}

int http_client_take(struct http_client *h, struct http_answer *answer)
{
    int left;
    const CURLMsg *done = h->curl.multi_info_read(h->multi, &left);
    struct transfer *t = NULL;
    if (!done || done->msg != CURLMSG_DONE)
        return ERR_AGAIN;
    CURLcode code = done->data.result; /* done is gone with its handle */
    h->curl.easy_getinfo(done->easy_handle, CURLINFO_PRIVATE, &t);
    read_answer(t, code, answer);
    h->curl.multi_remove_handle(h->multi, t->http.easy);
    t->busy = false;
    return (int)(t - h->transfers);
}
