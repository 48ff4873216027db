/* SPDX-License-Identifier: Apache-2.0 */
/* Lines end with CR LF, as RFC 9112 §2.2 has it, and nothing is folded. A head is read when all of it is there. */
#include "proto/doors/http_connect.h"

#include <stdio.h>
#include <strings.h>

#define END       "\r\n"
#define TOKEN     "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define HEADER    "proxy-authorization"
#define SCHEME    "basic "
#define PORT_MAX  65535
#define PORT_TEXT 5

struct text {
    const char *at;
    size_t len;
};

static bool is_text(struct text t, const char *lower)
{
    return t.len == strlen(lower) && strncasecmp(t.at, lower, t.len) == 0;
}

/* Takes what stands before end out of t, and end. False: it is not there. */
static bool cut(struct text *t, const char *end, struct text *out)
{
    const char *found = memmem(t->at, t->len, end, strlen(end));
    if (!found)
        return false;
    *out = (struct text){t->at, (size_t)(found - t->at)};
    size_t taken = out->len + strlen(end);
    *t = (struct text){t->at + taken, t->len - taken};
    return true;
}

static bool is_token(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (!t.at[i] || !strchr(TOKEN, t.at[i]))
            return false;
    return t.len > 0;
}

static bool has_control(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (((uint8_t)t.at[i] < ' ' && t.at[i] != '\t') || t.at[i] == 0x7f)
            return true;
    return false;
}

static bool read_port(struct text t, uint16_t *out)
{
    unsigned port = 0;
    for (size_t i = 0; i < t.len && t.len <= PORT_TEXT; i++) {
        if (t.at[i] < '0' || t.at[i] > '9')
            return false;
        port = port * 10 + (unsigned)(t.at[i] - '0');
    }
    *out = (uint16_t)port;
    return t.len && t.len <= PORT_TEXT && port && port <= PORT_MAX;
}

/* "HOST:PORT", or "[V6]:PORT". */
static bool read_authority(struct text t, struct destination *out)
{
    struct text host;
    uint16_t port;
    bool bracketed = t.len && t.at[0] == '[';
    if (bracketed)
        t = (struct text){t.at + 1, t.len - 1};
    if (!cut(&t, bracketed ? "]:" : ":", &host) || !read_port(t, &port))
        return false;
    if (destination_from_text(host.at, host.len, port, out))
        return false;
    return bracketed == (out->address.family && memchr(host.at, ':', host.len));
}

static bool read_request_line(struct text line, struct http_connect *out)
{
    struct text method, target;
    if (!cut(&line, " ", &method) || !cut(&line, " ", &target) || !is_token(method))
        return false;
    if (line.len != strlen("HTTP/1.1") || strncmp(line.at, "HTTP/1.", strlen("HTTP/1.")) != 0)
        return false;
    out->unknown = method.len != strlen("CONNECT") || strncmp(method.at, "CONNECT", method.len) != 0;
    return out->unknown || read_authority(target, &out->to);
}

static struct text trim(struct text t)
{
    while (t.len && (t.at[0] == ' ' || t.at[0] == '\t'))
        t = (struct text){t.at + 1, t.len - 1};
    while (t.len && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
        t.len--;
    return t;
}

/* Of two credentials nobody could tell which count. */
static bool read_header(struct text line, struct http_connect *out)
{
    struct text name;
    if (!cut(&line, ":", &name) || !is_token(name) || has_control(line))
        return false;
    if (!is_text(name, HEADER))
        return true;
    struct text value = trim(line);
    if (out->credentials.len || value.len <= strlen(SCHEME))
        return false;
    if (strncasecmp(value.at, SCHEME, strlen(SCHEME)) != 0)
        return true;
    value = trim((struct text){value.at + strlen(SCHEME), value.len - strlen(SCHEME)});
    out->credentials = (struct slice){(const uint8_t *)value.at, value.len};
    return true;
}

static bool read_head(struct text head, struct http_connect *out)
{
    struct text line;
    bool ok = cut(&head, END, &line) && read_request_line(line, out);
    while (ok && cut(&head, END, &line) && line.len)
        ok = read_header(line, out);
    return ok;
}

int http_connect_read(struct slice bytes, struct http_connect *out)
{
    const struct text all = {(const char *)bytes.data,
                             bytes.len < HTTP_CONNECT_MAX ? bytes.len : HTTP_CONNECT_MAX};
    *out = (struct http_connect){0};
    const char *end = all.len ? memmem(all.at, all.len, END END, strlen(END END)) : NULL;
    if (!end)
        return all.len < HTTP_CONNECT_MAX ? 0 : ERR_FORMAT;
    size_t len = (size_t)(end - all.at) + strlen(END END);
    if (read_head((struct text){all.at, len}, out))
        return (int)len;
    *out = (struct http_connect){0};
    return ERR_FORMAT;
}

/* ---- answers ---- */

static size_t reply(char *out, const char *status, const char *header, const char *text)
{
    return (size_t)snprintf(
        out, HTTP_CONNECT_REPLY_MAX,
        "HTTP/1.1 %s\r\n%sConnection: close\r\nContent-Type: text/plain\r\nContent-Length: "
        "%zu\r\n\r\n%s\n",
        status, header, strlen(text) + 1, text);
}

size_t http_connect_reply(enum outcome outcome, char out[HTTP_CONNECT_REPLY_MAX])
{
    switch (outcome) {
    case OUTCOME_OPEN:
        return (size_t)snprintf(out, HTTP_CONNECT_REPLY_MAX, "HTTP/1.1 200 Connection established\r\n\r\n");
    case OUTCOME_REFUSED:
        return reply(out, "502 Bad Gateway", "", "the host refuses connections at that port");
    case OUTCOME_UNREACHABLE:
        return reply(out, "502 Bad Gateway", "", "nothing leads to the host");
    case OUTCOME_SILENT:
        return reply(out, "504 Gateway Timeout", "", "the host does not answer");
    case OUTCOME_NO_NAME:
        return reply(out, "502 Bad Gateway", "", "nobody has that name");
    case OUTCOME_FORBIDDEN:
        return reply(out, "403 Forbidden", "", "this proxy does not lead there");
    case OUTCOME_UNSUPPORTED:
        return reply(out, "405 Method Not Allowed", "Allow: CONNECT\r\n", "this proxy knows CONNECT alone");
    case OUTCOME_FAILED:
        break;
    }
    return reply(out, "503 Service Unavailable", "", "this proxy cannot, for now");
}

size_t http_connect_refuse_words(char out[HTTP_CONNECT_REPLY_MAX])
{
    return reply(out, "407 Proxy Authentication Required",
                 "Proxy-Authenticate: Basic realm=\"shadowmesh\"\r\n",
                 "this proxy wants a name and a password");
}

size_t http_connect_refuse_malformed(char out[HTTP_CONNECT_REPLY_MAX])
{
    return reply(out, "400 Bad Request", "", "this is no request to a proxy");
}
