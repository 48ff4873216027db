/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as text, as values and as the kernel's sockaddr. Any thread. */

#include "base/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void set_v4(struct addr *a, const void *ip)
{
    a->family = 4;
    a->scope = 0;
    memset(a->ip, 0, sizeof(a->ip));
    memcpy(a->ip, ip, 4);
}

/* The one place where IPv6 enters: unwraps mapped addresses, drops scopes that mean nothing. */
static void set_v6(struct addr *a, const uint8_t ip[16], uint32_t scope)
{
    if (memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        set_v4(a, ip + sizeof(mapped_prefix));
        return;
    }
    a->family = 6;
    memcpy(a->ip, ip, 16);
    a->scope = addr_is_link_local(a) ? scope : 0;
}

/* Decimal digits only, no sign, no space, at most max. */
static int parse_number(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;

    if (*text == '\0')
        return ERR_ARGUMENT;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return ERR_ARGUMENT;
        v = v * 10 + (uint64_t)(*text - '0');
        if (v > max)
            return ERR_ARGUMENT;
    }
    *out = (uint32_t)v;
    return 0;
}

static int parse_port(const char *text, uint16_t *out)
{
    uint32_t port;

    if (parse_number(text, UINT16_MAX, &port) || port == 0)
        return ERR_ARGUMENT;
    *out = (uint16_t)port;
    return 0;
}

static int parse_scope(const char *text, uint32_t *out)
{
    if (parse_number(text, UINT32_MAX, out) == 0)
        return 0;
    *out = if_nametoindex(text);
    return *out ? 0 : ERR_ARGUMENT;
}

static int parse_v6(char *host, struct addr *out)
{
    char *percent = strchr(host, '%');
    uint32_t scope = 0;
    uint8_t ip[16];

    if (percent) {
        *percent = '\0';
        if (parse_scope(percent + 1, &scope))
            return ERR_ARGUMENT;
    }
    if (inet_pton(AF_INET6, host, ip) != 1)
        return ERR_ARGUMENT;
    set_v6(out, ip, scope);
    return 0;
}

static int parse_bracketed(char *text, struct addr *out)
{
    char *close = strchr(text, ']');

    if (!close)
        return ERR_ARGUMENT;
    *close = '\0';
    if (close[1] == ':') {
        if (parse_port(close + 2, &out->port))
            return ERR_ARGUMENT;
    } else if (close[1] != '\0') {
        return ERR_ARGUMENT;
    }
    return parse_v6(text + 1, out);
}

static int parse_v4(char *text, struct addr *out)
{
    char *colon = strchr(text, ':');
    uint8_t ip[4];

    if (colon) {
        *colon = '\0';
        if (parse_port(colon + 1, &out->port))
            return ERR_ARGUMENT;
    }
    if (inet_pton(AF_INET, text, ip) != 1)
        return ERR_ARGUMENT;
    set_v4(out, ip);
    return 0;
}

int addr_parse(const char *text, uint16_t default_port, struct addr *out)
{
    struct addr a = {.port = default_port};
    char copy[ADDR_TEXT_MAX];
    size_t len = strnlen(text, sizeof(copy));
    char *colon;
    int err;

    if (len == sizeof(copy))
        return ERR_ARGUMENT;
    memcpy(copy, text, len + 1);
    colon = strchr(copy, ':');
    if (copy[0] == '[')
        err = parse_bracketed(copy, &a);
    else if (colon && strchr(colon + 1, ':'))
        err = parse_v6(copy, &a);
    else
        err = parse_v4(copy, &a);
    if (err)
        return err;
    *out = a;
    return 0;
}

static void format_host(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    size_t n;

    if (a->family != 4 && a->family != 6) {
        memcpy(out, "none", sizeof("none"));
        return;
    }
    inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, out, ADDR_TEXT_MAX);
    n = strlen(out);
    if (a->scope)
        snprintf(out + n, ADDR_TEXT_MAX - n, "%%%u", a->scope);
}

char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    char host[ADDR_TEXT_MAX];

    format_host(a, host);
    if (a->port == 0)
        snprintf(out, ADDR_TEXT_MAX, "%s", host);
    else if (a->family == 6)
        snprintf(out, ADDR_TEXT_MAX, "[%.50s]:%u", host, a->port);
    else
        snprintf(out, ADDR_TEXT_MAX, "%.50s:%u", host, a->port);
    return out;
}

char *addr_prefix_format(const struct addr_prefix *p, char out[ADDR_TEXT_MAX])
{
    char host[ADDR_TEXT_MAX];

    format_host(&p->addr, host);
    snprintf(out, ADDR_TEXT_MAX, "%.50s/%u", host, p->bits);
    return out;
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && a->scope == b->scope && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && addr_same_host(a, b);
}

static bool same_leading_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned rest = bits % 8;

    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

static unsigned width(const struct addr *a)
{
    return a->family == 4 ? 32 : a->family == 6 ? 128 : 0;
}

bool addr_in_prefix(const struct addr *a, const struct addr_prefix *p)
{
    if (width(a) == 0 || a->family != p->addr.family || p->bits > width(a))
        return false;
    return same_leading_bits(a->ip, p->addr.ip, p->bits);
}

bool addr_is_subnet_edge(const struct addr *a, const struct addr_prefix *p)
{
    if (a->family != 4 || p->bits >= 31 || !addr_in_prefix(a, p))
        return false;
    uint32_t host = 0, mask = UINT32_MAX >> p->bits;
    for (unsigned i = 0; i < 4; i++)
        host = host << 8 | a->ip[i];
    return (host & mask) == 0 || (host & mask) == mask;
}

bool addr_prefix_overlap(const struct addr_prefix *a, const struct addr_prefix *b)
{
    return a->bits <= b->bits ? b->bits <= width(&b->addr) && addr_in_prefix(&b->addr, a)
                              : a->bits <= width(&a->addr) && addr_in_prefix(&a->addr, b);
}

bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};

    return a->family == 4 ? a->ip[0] == 127 : a->family == 6 && memcmp(a->ip, one, sizeof(one)) == 0;
}

bool addr_is_link_local(const struct addr *a)
{
    if (a->family == 4)
        return a->ip[0] == 169 && a->ip[1] == 254;
    return a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

bool addr_is_unspecified(const struct addr *a)
{
    static const uint8_t zero[16];

    return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

static bool is_routable_v4(const uint8_t ip[4])
{
    bool link_local = ip[0] == 169 && ip[1] == 254;
    return ip[0] != 0 && ip[0] != 127 && ip[0] < 224 && !link_local;
}

bool addr_is_routable(const struct addr *a)
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    const uint8_t *ip = a->ip;

    if (a->family == 4)
        return is_routable_v4(ip);
    if (a->family != 6)
        return false;
    if (memcmp(ip, nat64, sizeof(nat64)) == 0 || memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0)
        return is_routable_v4(ip + 12);
    if (ip[0] == 0x20 && ip[1] == 0x02) /* 6to4 */
        return is_routable_v4(ip + 2);
    return ip[0] != 0 && ip[0] != 0xff && !(ip[0] == 0xfe && (ip[1] & 0x80));
}

static const struct addr_prefix private_blocks[] = {
    {{.family = 4, .ip = {10}}, 8},        {{.family = 4, .ip = {172, 16}}, 12},
    {{.family = 4, .ip = {192, 168}}, 16}, {{.family = 4, .ip = {100, 64}}, 10},
    {{.family = 6, .ip = {0xfc}}, 7},
};
#define PRIVATE_BLOCKS (sizeof(private_blocks) / sizeof(*private_blocks))

static size_t private_block(const struct addr *a)
{
    size_t i = 0;
    while (i < PRIVATE_BLOCKS && !addr_in_prefix(a, &private_blocks[i]))
        i++;
    return i;
}

bool addr_is_private(const struct addr *a)
{
    return private_block(a) < PRIVATE_BLOCKS;
}

bool addr_same_private_block(const struct addr *a, const struct addr *b)
{
    return addr_is_private(a) && private_block(a) == private_block(b);
}

static socklen_t put_v6(const uint8_t ip[16], const struct addr *a, struct sockaddr_storage *out)
{
    struct sockaddr_in6 sin6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};

    memcpy(&sin6.sin6_addr, ip, 16);
    memcpy(out, &sin6, sizeof(sin6));
    return sizeof(sin6);
}

static socklen_t put_v4(const struct addr *a, struct sockaddr_storage *out)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(a->port)};

    memcpy(&sin.sin_addr, a->ip, 4);
    memcpy(out, &sin, sizeof(sin));
    return sizeof(sin);
}

socklen_t addr_to_sockaddr(const struct addr *a, bool v4mapped, struct sockaddr_storage *out)
{
    uint8_t mapped[16];

    memset(out, 0, sizeof(*out));
    if (a->family == 6)
        return put_v6(a->ip, a, out);
    if (a->family != 4)
        return 0;
    if (!v4mapped)
        return put_v4(a, out);
    memcpy(mapped, mapped_prefix, sizeof(mapped_prefix));
    memcpy(mapped + sizeof(mapped_prefix), a->ip, 4);
    return put_v6(mapped, a, out);
}

int addr_from_sockaddr(const struct sockaddr *sa, struct addr *out)
{
    struct addr a = {0};
    struct sockaddr_in6 sin6;
    struct sockaddr_in sin;

    if (sa->sa_family == AF_INET) {
        memcpy(&sin, sa, sizeof(sin));
        a.port = ntohs(sin.sin_port);
        set_v4(&a, &sin.sin_addr);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&sin6, sa, sizeof(sin6));
        a.port = ntohs(sin6.sin6_port);
        set_v6(&a, sin6.sin6_addr.s6_addr, sin6.sin6_scope_id);
    } else {
        return ERR_UNSUPPORTED;
    }
    *out = a;
    return 0;
}
