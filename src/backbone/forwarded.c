/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing from the right: what stands to the left of an address that is not trusted may be anybody's. */

#include "backbone/forwarded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *forwarded_add(struct forwarded_proxies *p, const char *text)
{
    static const char wrong[] = "no address or CIDR: give one such as 127.0.0.1 or 192.0.2.0/24";
    char host[ADDR_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    struct addr_prefix proxy;
    if (p->count == FORWARDED_PROXIES_MAX)
        return "one too many: give at most 16";
    if (len >= sizeof(host))
        return wrong;
    snprintf(host, sizeof(host), "%.*s", (int)len, text);
    if (addr_parse(host, 0, &proxy.addr) != 0 || proxy.addr.port != 0)
        return wrong;
    unsigned long most = proxy.addr.family == 4 ? 32 : 128, bits = most;
    if (slash) {
        char *end;
        bits = slash[1] >= '0' && slash[1] <= '9' ? strtoul(slash + 1, &end, 10) : most + 1;
        if (bits > most || *end)
            return wrong;
    }
    proxy.bits = (uint8_t)bits;
    p->list[p->count++] = proxy;
    return NULL;
}

bool forwarded_trusts(const struct forwarded_proxies *p, const struct addr *from)
{
    for (unsigned i = 0; i < p->count; i++)
        if (addr_in_prefix(from, &p->list[i]))
            return true;
    return false;
}

void forwarded_append(struct forwarded_text *t, const char *value, size_t len)
{
    if (len > sizeof(t->text) - 1) {
        value += len - (sizeof(t->text) - 1);
        len = sizeof(t->text) - 1;
    }
    unsigned keep = t->len < sizeof(t->text) - 1 - len ? t->len : (unsigned)(sizeof(t->text) - 1 - len);
    memmove(t->text, t->text + t->len - keep, keep);
    t->text[keep] = ',';
    memcpy(t->text + keep + 1, value, len);
    t->len = keep + 1 + (unsigned)len;
}

/* The last element of len characters; *len is then what is left before it. */
static bool take_last(const char *text, unsigned *len, struct addr *out)
{
    char element[ADDR_TEXT_MAX];
    unsigned end = *len;
    while (end && strchr(" \t", text[end - 1]))
        end--;
    unsigned begin = end;
    while (begin && text[begin - 1] != ',')
        begin--;
    *len = begin ? begin - 1 : 0;
    while (begin < end && strchr(" \t", text[begin]))
        begin++;
    if (begin == end || end - begin >= sizeof(element))
        return false;
    memcpy(element, text + begin, end - begin);
    element[end - begin] = '\0';
    if (addr_parse(element, 0, out) != 0)
        return false;
    out->port = 0;
    out->scope = 0;
    return true;
}

struct addr forwarded_source(const struct forwarded_proxies *p, const struct addr *from,
                             const struct forwarded_text *t)
{
    struct addr source = *from, before;
    unsigned len = t->len;
    while (forwarded_trusts(p, &source) && take_last(t->text, &len, &before))
        source = before;
    return source;
}
