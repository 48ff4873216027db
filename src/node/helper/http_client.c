/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP with libcurl, bounded in time and size. */
#include "node/helper/http_client.h"

#include "net/tcp.h"
#include "node/helper/curl_library.h"
#include "node/helper/http_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 3000l
#define TOTAL_TIMEOUT_MS   5000l
#define RESOLVE_MAX        1024
#define WAIT_MS            60000

struct transfer {
    const struct curl_library *curl;
    CURL *handle;
    bool busy;
    bool overlong;
    struct curl_slist *resolve;
    char *json;
    size_t len;
    char error[CURL_ERROR_SIZE];
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

static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)context, (void)purpose;
    tcp_limit_segments(fd);
    return CURL_SOCKOPT_OK;
}

static void set_options(struct transfer *t, struct curl_slist *headers)
{
    CURL *c = t->handle;
    const struct curl_library *curl = t->curl;
    curl->easy_setopt(c, CURLOPT_NOSIGNAL, 1l);
    curl->easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl->easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl->easy_setopt(c, CURLOPT_TIMEOUT_MS, TOTAL_TIMEOUT_MS);
    curl->easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0l);
    curl->easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(c, CURLOPT_PROXY, ""); /* a proxy's address would be taken for the backbone's */
    curl->easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl->easy_setopt(c, CURLOPT_USERAGENT, "shadowmesh/" SHADOWMESH_VERSION);
    curl->easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl->easy_setopt(c, CURLOPT_ERRORBUFFER, t->error);
    curl->easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl->easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl->easy_setopt(c, CURLOPT_PRIVATE, t);
}

static int init(struct http_client *h)
{
    if (h->curl.global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        return ERR_NOMEM;
    h->headers = h->curl.slist_append(NULL, "Content-Type: application/json");
    struct curl_slist *more = h->headers ? h->curl.slist_append(h->headers, "Expect:") : NULL;
    h->multi = more ? h->curl.multi_init() : NULL;
    if (!h->multi)
        return ERR_NOMEM;
    for (unsigned i = 0; i < HTTP_REQUESTS_MAX; i++) {
        struct transfer *t = &h->transfers[i];
        t->curl = &h->curl;
        t->handle = h->curl.easy_init();
        if (!t->handle)
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

/* "*:PORT:ADDRESS,ADDRESS": libcurl then looks no name up. */
static struct curl_slist *addresses_of(const struct http_client *h, const struct http_request *request)
{
    struct http_url url;
    char text[RESOLVE_MAX], one[ADDR_TEXT_MAX];
    if (!http_url_parse(request->url, &url) || url.is_address)
        return NULL;
    size_t len = (size_t)snprintf(text, sizeof(text), "*:%u:", url.port);
    for (unsigned i = 0; i < request->address_count && len + ADDR_TEXT_MAX < sizeof(text); i++) {
        struct addr a = request->addresses[i];
        a.port = 0;
        addr_format(&a, one);
        len += (size_t)snprintf(text + len, sizeof(text) - len, a.family == 6 ? "%s[%s]" : "%s%s",
                                i ? "," : "", one);
    }
    return h->curl.slist_append(NULL, text);
}

static void set_request(struct transfer *t, const struct http_request *request)
{
    CURL *c = t->handle;
    const struct curl_library *curl = t->curl;
    curl->easy_setopt(c, CURLOPT_URL, request->url);
    curl->easy_setopt(c, CURLOPT_RESOLVE, t->resolve);
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
    h->curl.slist_free_all(t->resolve);
    free(t->json);
    t->resolve = addresses_of(h, request);
    t->json = request->json ? strdup(request->json) : NULL;
    t->len = 0;
    t->overlong = false;
    t->error[0] = '\0';
    set_request(t, request);
    if ((request->json && !t->json) || h->curl.multi_add_handle(h->multi, t->handle) != CURLM_OK)
        return ERR_NOMEM;
    t->busy = true;
    return (int)i;
}

bool http_client_wait(struct http_client *h, int fd)
{
    struct curl_waitfd own = {.fd = fd, .events = CURL_WAIT_POLLIN};
    int running;
    (void)h->curl.multi_poll(h->multi, &own, 1, WAIT_MS, NULL); /* less where a request asks for it */
    (void)h->curl.multi_perform(h->multi, &running);
    return own.revents != 0;
}

/* What people call it, rather than what libcurl does. */
static const char *describe_failure(struct transfer *t, CURLcode code)
{
    long os_errno = 0;
    curl_off_t connect_us = 0;
    char text[128];
    t->curl->easy_getinfo(t->handle, CURLINFO_OS_ERRNO, &os_errno);
    t->curl->easy_getinfo(t->handle, CURLINFO_CONNECT_TIME_T, &connect_us);
    if (t->overlong)
        return "its answer is longer than 64 KB";
    if (code == CURLE_SSL_CONNECT_ERROR && strstr(t->error, "wrong version number"))
        return "it does not speak TLS there: give http:// instead of https://, or the port of its TLS proxy";
    if (code == CURLE_OPERATION_TIMEDOUT)
        return connect_us == 0 ? "no connection within 3 s" : "no answer within 5 s";
    if (code == CURLE_COULDNT_CONNECT && os_errno != 0)
        snprintf(t->cause, sizeof(t->cause), "%s", strerror_r((int)os_errno, text, sizeof(text)));
    else
        snprintf(t->cause, sizeof(t->cause), "%s", t->error[0] ? t->error : t->curl->easy_strerror(code));
    return t->cause;
}

static void read_remote(struct transfer *t, struct addr *out)
{
    char *ip = NULL;
    long port = 0;
    t->curl->easy_getinfo(t->handle, CURLINFO_PRIMARY_IP, &ip);
    t->curl->easy_getinfo(t->handle, CURLINFO_PRIMARY_PORT, &port);
    if (!ip || addr_parse(ip, (uint16_t)port, out) != 0)
        *out = (struct addr){0};
}

static uint64_t read_date(struct transfer *t)
{
    struct curl_header *date;
    if (t->curl->easy_header(t->handle, "Date", 0, CURLH_HEADER, -1, &date) != CURLHE_OK)
        return 0;
    time_t s = t->curl->getdate(date->value, NULL);
    return s > 0 ? (uint64_t)s : 0;
}

static void read_answer(struct transfer *t, CURLcode code, struct http_answer *answer)
{
    t->body[t->len] = '\0';
    *answer = (struct http_answer){.body = t->body, .cause = ""};
    if (code != CURLE_OK) {
        answer->cause = describe_failure(t, code);
        return;
    }
    t->curl->easy_getinfo(t->handle, CURLINFO_RESPONSE_CODE, &answer->status);
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
    h->curl.multi_remove_handle(h->multi, t->handle);
    t->busy = false;
    return (int)(t - h->transfers);
}
