/* SPDX-License-Identifier: Apache-2.0 */
#include "node/helper/http_handle.h"

#include "net/tcp.h"
#include "node/helper/http_url.h"

#include <stdio.h>
#include <string.h>

#define RESOLVE_MAX 1024

static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)context, (void)purpose;
    tcp_limit_segments(fd);
    return CURL_SOCKOPT_OK;
}

int http_handle_init(struct http_handle *h, const struct curl_library *curl)
{
    *h = (struct http_handle){.curl = curl, .easy = curl->easy_init()};
    CURL *c = h->easy;
    if (!c)
        return ERR_NOMEM;
    curl->easy_setopt(c, CURLOPT_NOSIGNAL, 1l);
    curl->easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl->easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, HTTP_CONNECT_MS);
    curl->easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0l);
    curl->easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(c, CURLOPT_PROXY, ""); /* a proxy's address would be taken for the backbone's */
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
    h->resolve = resolution(h->curl, url, addresses, count);
    h->error[0] = '\0';
    h->curl->easy_setopt(h->easy, CURLOPT_URL, url);
    h->curl->easy_setopt(h->easy, CURLOPT_RESOLVE, h->resolve);
}

const char *http_handle_failure(struct http_handle *h, CURLcode code, char out[HTTP_CAUSE_MAX])
{
    long os_errno = 0;
    curl_off_t connect_us = 0;
    char text[128];
    h->curl->easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &os_errno);
    h->curl->easy_getinfo(h->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    if (code == CURLE_SSL_CONNECT_ERROR && strstr(h->error, "wrong version number"))
        return "it does not speak TLS there: give http:// instead of https://, or the port of its TLS proxy";
    if (code == CURLE_OPERATION_TIMEDOUT)
        return connect_us == 0 ? "no connection within 3 s" : "no answer within 5 s";
    if (code == CURLE_COULDNT_CONNECT && os_errno != 0)
        snprintf(out, HTTP_CAUSE_MAX, "%s", strerror_r((int)os_errno, text, sizeof(text)));
    else
        snprintf(out, HTTP_CAUSE_MAX, "%s", h->error[0] ? h->error : h->curl->easy_strerror(code));
    return out;
}
