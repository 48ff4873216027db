/* SPDX-License-Identifier: Apache-2.0 */
#include "node/helper/http_handle.h"

#include "net/tcp.h"
#include "node/helper/http_url.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define RESOLVE_MAX 1024

static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    const struct http_handle *h = context;
    (void)purpose;
    tcp_limit_segments(fd);
    return h->interface && tcp_leave_by(fd, h->interface) ? CURL_SOCKOPT_ERROR : CURL_SOCKOPT_OK;
}

/* Everything goes through a tunnel: one way, which no cache reads or changes. The variables of the environment are not
 * libcurl's to follow. */
void http_handle_go_by(struct http_handle *h, const struct proxy *proxy)
{
    CURL *c = h->easy;
    h->proxy = proxy;
    h->curl->easy_setopt(c, CURLOPT_PROXY, proxy->url);
    h->curl->easy_setopt(c, CURLOPT_NOPROXY, "");
    h->curl->easy_setopt(c, CURLOPT_HTTPPROXYTUNNEL, 1l);
    h->curl->easy_setopt(c, CURLOPT_PROXYUSERNAME, proxy->user[0] ? proxy->user : NULL);
    h->curl->easy_setopt(c, CURLOPT_PROXYPASSWORD, proxy->user[0] ? proxy->password : NULL);
}

void http_handle_leave_by(struct http_handle *h, uint32_t interface)
{
    h->interface = interface;
}

int http_handle_init(struct http_handle *h, const struct curl_library *curl, const struct proxy *proxy)
{
    *h = (struct http_handle){.curl = curl, .easy = curl->easy_init()};
    CURL *c = h->easy;
    if (!c)
        return ERR_NOMEM;
    curl->easy_setopt(c, CURLOPT_NOSIGNAL, 1l);
    curl->easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl->easy_setopt(c, CURLOPT_SOCKOPTDATA, h);
    curl->easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, HTTP_CONNECT_MS);
    curl->easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0l);
    curl->easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    http_handle_go_by(h, proxy);
    curl->easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl->easy_setopt(c, CURLOPT_USERAGENT, "shadowmesh/" SHADOWMESH_VERSION);
    curl->easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
    return 0;
}

void http_handle_fini(struct http_handle *h)
{
    if (h->easy)
        h->curl->easy_cleanup(h->easy);
    if (h->resolve)
        h->curl->slist_free_all(h->resolve);
    *h = (struct http_handle){0};
}

/* "*:PORT:ADDRESS,ADDRESS": libcurl then looks no name up. */
static struct curl_slist *resolution(const struct curl_library *curl, const char *at,
                                     const struct addr *addresses, unsigned count)
{
    struct http_url url;
    char text[RESOLVE_MAX], one[ADDR_TEXT_MAX];
    if (!http_url_parse(at, &url) || url.is_address)
        return NULL;
    size_t len = (size_t)snprintf(text, sizeof(text), "*:%u:", url.port);
    for (unsigned i = 0; i < count && len + ADDR_TEXT_MAX < sizeof(text); i++) {
        struct addr a = addresses[i];
        a.port = 0;
        addr_format(&a, one);
        len += (size_t)snprintf(text + len, sizeof(text) - len, a.family == 6 ? "%s[%s]" : "%s%s",
                                i ? "," : "", one);
    }
    return curl->slist_append(NULL, text);
}

void http_handle_aim(struct http_handle *h, const char *url, const struct addr *addresses, unsigned count)
{
    h->curl->slist_free_all(h->resolve);
    h->resolve = resolution(h->curl, h->proxy->url[0] ? h->proxy->url : url, addresses, count);
    h->error[0] = '\0';
    h->curl->easy_setopt(h->easy, CURLOPT_URL, url);
    h->curl->easy_setopt(h->easy, CURLOPT_RESOLVE, h->resolve);
}

/* ---- failures ---- */

bool http_handle_is_silence(const struct http_handle *h, CURLcode code)
{
    long os_errno = 0;
    h->curl->easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &os_errno);
    return code == CURLE_OPERATION_TIMEDOUT || (code == CURLE_COULDNT_CONNECT && os_errno != ECONNREFUSED);
}

static const char *failure_of(struct http_handle *h, CURLcode code, char out[HTTP_CAUSE_MAX])
{
    long os_errno = 0;
    curl_off_t connect_us = 0;
    char text[128];
    h->curl->easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &os_errno);
    h->curl->easy_getinfo(h->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    if (code == CURLE_SSL_CONNECT_ERROR && strstr(h->error, "wrong version number"))
        return "it does not speak TLS there: give http:// instead of https://, or the port of its TLS proxy";
    if (code == CURLE_SSL_CONNECT_ERROR && strstr(h->error, "SSL_ERROR_SYSCALL"))
        return "it broke the TLS handshake off: it may not speak TLS there; if so, give http:// instead of "
               "https://";
    if (code == CURLE_OPERATION_TIMEDOUT)
        return connect_us == 0 ? "no connection within 3 s" : "no answer within 5 s";
    if (code == CURLE_COULDNT_CONNECT && os_errno != 0)
        snprintf(out, HTTP_CAUSE_MAX, "%s", strerror_r((int)os_errno, text, sizeof(text)));
    else
        snprintf(out, HTTP_CAUSE_MAX, "%s", h->error[0] ? h->error : h->curl->easy_strerror(code));
    return out;
}

/* What it said to CONNECT. tinyproxy says 401 where 407 is meant. */
static const char *refusal_of(const struct proxy *proxy, long status, char out[HTTP_CAUSE_MAX])
{
    bool words = status == 407 || status == 401;
    const char *what = words && proxy->user[0]
                           ? "does not take our name and password: correct them in the file of -proxy-auth, "
                             "or in the environment"
                       : words ? "asks for a name and a password: give them by -proxy-auth FILE"
                       : status / 100 == 4
                           ? "does not connect us to it: it has to allow CONNECT to that host and port"
                           : "does not reach it";
    snprintf(out, HTTP_CAUSE_MAX, "the proxy %.100s %s (HTTP status %ld)", proxy->shown, what, status);
    return out;
}

/* What has come as far as a request has its proxy behind it. */
const char *http_handle_failure(struct http_handle *h, CURLcode code, char out[HTTP_CAUSE_MAX])
{
    char cause[HTTP_CAUSE_MAX];
    long status = 0;
    curl_off_t begun_us = 0;
    h->curl->easy_getinfo(h->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    h->curl->easy_getinfo(h->easy, CURLINFO_PRETRANSFER_TIME_T, &begun_us);
    if (!h->proxy->url[0] || begun_us || status / 100 == 2)
        return failure_of(h, code, out);
    if (status)
        return refusal_of(h->proxy, status, out);
    snprintf(out, HTTP_CAUSE_MAX, "the proxy %.100s: %.140s", h->proxy->shown, failure_of(h, code, cause));
    return out;
}
