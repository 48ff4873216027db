/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the values of shadowmesh-l2's flags: ports, masks, addresses, URLs, names. Pure functions of their
 * text. */
#include "node/config/config_value.h"

#include "base/text.h"
#include "crypto/cert.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_decimal(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 9 && text[n] == '\0';
}

/* Nothing is left behind it of a longer text: flags_differ compares all of out. */
static bool copy_text(const char *text, size_t len, char *out, size_t cap)
{
    if (len >= cap)
        return false;
    memcpy(out, text, len);
    memset(out + len, 0, cap - len);
    return true;
}

/* Control characters would let a value forge log lines. */
static bool has_control(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            return true;
    return false;
}

const char *config_read_number(const char *text, unsigned min, unsigned max, const char *hint, unsigned *out)
{
    if (!is_decimal(text))
        return hint;
    unsigned long value = strtoul(text, NULL, 10);
    if (value < min || value > max)
        return hint;
    *out = (unsigned)value;
    return NULL;
}

const char *config_read_port(const char *text, uint16_t *out)
{
    unsigned value = 0;
    const char *wrong = config_read_number(text, 1, 65535, "no port: give a number from 1 to 65535", &value);
    if (!wrong)
        *out = (uint16_t)value;
    return wrong;
}

/* A dotted mask is ones, then zeros. */
static const char *read_dotted_mask(const struct addr *mask, uint8_t *bits)
{
    uint32_t value =
        (uint32_t)mask->ip[0] << 24 | (uint32_t)mask->ip[1] << 16 | (uint32_t)mask->ip[2] << 8 | mask->ip[3];
    uint32_t inverse = ~value;
    if (inverse & (inverse + 1))
        return "no netmask: its ones do not come first, as they do in 255.255.255.0";
    *bits = (uint8_t)__builtin_popcount(value);
    return NULL;
}

const char *config_read_netmask(const char *text, unsigned family, uint8_t *bits)
{
    struct addr mask;
    if (family == 4 && strchr(text, '.') && !strchr(text, ':') && addr_parse(text, 0, &mask) == 0)
        return read_dotted_mask(&mask, bits);
    const char *hint = family == 6
                           ? "no netmask: give a number of bits from 0 to 128, such as 64"
                           : "no netmask: give 0 to 32 bits, such as 24, or dotted, such as 255.255.255.0";
    unsigned value = 0;
    const char *wrong = config_read_number(text, 0, family == 6 ? 128 : 32, hint, &value);
    if (!wrong)
        *bits = (uint8_t)value;
    return wrong;
}

static bool is_multicast(const struct addr *a)
{
    return a->family == 4 ? a->ip[0] >= 224 : a->ip[0] == 0xff;
}

const char *config_read_host_address(const char *text, struct addr *out)
{
    struct addr a;
    if (addr_parse(text, 0, &a) != 0)
        return "no IP address: give one such as 203.0.113.7 or 2001:db8::7";
    if (a.port != 0)
        return "has a port: give the address alone";
    if (addr_is_unspecified(&a) || is_multicast(&a))
        return "not the address of one host: give one such as 203.0.113.7 or 2001:db8::7";
    *out = a;
    return NULL;
}

const char *config_read_tap_address(const char *text, struct addr_prefix *out, bool *has_bits)
{
    const char *slash = strchr(text, '/');
    char host[ADDR_TEXT_MAX];
    if (!copy_text(text, slash ? (size_t)(slash - text) : strlen(text), host, sizeof(host)))
        return "no IP address: give one such as 10.10.10.3";
    struct addr a;
    const char *wrong = config_read_host_address(host, &a);
    if (wrong)
        return wrong;
    if (addr_is_loopback(&a))
        return "a loopback address: give one of the overlay, such as 10.10.10.3";
    out->addr = a;
    *has_bits = slash != NULL;
    return slash ? config_read_netmask(slash + 1, a.family, &out->bits) : NULL;
}

/* What follows the scheme up to a path: HOST or HOST:PORT. */
static bool is_url_authority(const char *text, size_t len)
{
    char copy[300];
    if (len == 0 || !copy_text(text, len, copy, sizeof(copy)))
        return false;
    char *colon = strrchr(copy, ':');
    if (copy[0] == '[') {
        char *close = strchr(copy, ']');
        if (!close || (close[1] != '\0' && close[1] != ':'))
            return false;
        colon = close[1] == ':' ? close + 1 : NULL;
    }
    uint16_t port = 0;
    if (colon && config_read_port(colon + 1, &port))
        return false;
    if (colon)
        *colon = '\0';
    return copy[0] != '\0' && (copy[0] == '[' || !strchr(copy, ':'));
}

const char *config_read_url(const char *text, char *out, size_t cap)
{
    static const char hint[] = "no URL of a backbone: give one such as http://backbone.example:8080";
    size_t scheme = strncasecmp(text, "http://", 7) == 0 ? 7 : strncasecmp(text, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0 || strpbrk(text, " ?#@\\\"<>") || has_control(text))
        return hint;
    size_t authority = strcspn(text + scheme, "/");
    if (!is_url_authority(text + scheme, authority))
        return hint;
    size_t len = strlen(text);
    while (len > scheme && text[len - 1] == '/')
        len--;
    return copy_text(text, len, out, cap) ? NULL : "too long for a URL";
}

const char *config_read_proxy(const char *text, char *out, size_t cap)
{
    static const char hint[] = "no URL of a proxy: give one such as http://proxy.example:3128";
    size_t scheme = strncasecmp(text, "http://", 7) == 0 ? 7 : strncasecmp(text, "https://", 8) == 0 ? 8 : 0;
    if (strcmp(text, CONFIG_PROXY_OFF) == 0)
        return copy_text(text, strlen(text), out, cap) ? NULL : hint;
    if (scheme == 0 || strpbrk(text + scheme, " ?#@/\\\"<>") || has_control(text) ||
        !is_url_authority(text + scheme, strlen(text + scheme)))
        return hint;
    const char *colon = strrchr(text + scheme, ':'), *bracket = strchr(text, ']');
    if (!colon || colon < bracket)
        return "its port is missing: give it, as in http://proxy.example:3128";
    return copy_text(text, strlen(text), out, cap) ? NULL : "too long for a URL";
}

const char *config_read_device(const char *text, char out[IFNAMSIZ])
{
    size_t len = strlen(text);
    bool bad = len == 0 || len >= IFNAMSIZ || strpbrk(text, "/:% \t\n\v\f\r") || has_control(text) ||
               strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
    if (bad)
        return "no name of a device: 1 to 15 characters without blanks, '/', ':' or '%', such as tap0";
    copy_text(text, len, out, IFNAMSIZ);
    return NULL;
}

const char *config_read_name(const char *text, char *out, size_t cap)
{
    if (text[0] == '\0' || !text_ok(text, strlen(text)) || !copy_text(text, strlen(text), out, cap))
        return "no name: give 1 to 63 bytes of printable text";
    return NULL;
}

const char *config_read_network(const char *text, char *out, size_t cap)
{
    bool ok = cert_label_ok(text) && copy_text(text, strlen(text), out, cap);
    return ok ? NULL : "no name of a network: give letters a to z, digits and -, as `shadowmesh up` takes it";
}

const char *config_read_path(const char *text, char *out, size_t cap)
{
    if (text[0] == '\0' || has_control(text))
        return "no path of a folder";
    return copy_text(text, strlen(text), out, cap) ? NULL : "too long for a path: give a shorter one";
}

const char *config_read_id(const char *text, struct node_id *out)
{
    return id_parse(text, out) == 0
               ? NULL
               : "no node id: give the 40 hex digits that the other node prints as its Peer ID";
}

static bool is_host_name(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
    return n > 0 && n < 254 && text[n] == '\0' && isalnum((unsigned char)text[0]);
}

/* "HOST", "HOST:PORT", "[V6]", "[V6]:PORT"; hint and brackets are what the person reads when it is none. */
static const char *read_host(char *text, const char *hint, const char *brackets, struct config_host *out)
{
    char *host = text, *port = NULL;
    if (text[0] == '[') {
        char *close = strchr(text, ']');
        if (!close || (close[1] != '\0' && close[1] != ':'))
            return hint;
        port = close[1] == ':' ? close + 2 : NULL;
        *close = '\0';
        host = text + 1;
        struct addr a;
        if (addr_parse(host, 0, &a) != 0 || a.family != 6 || a.port != 0)
            return hint;
    } else {
        char *colon = strchr(text, ':');
        if (colon && strchr(colon + 1, ':'))
            return brackets;
        port = colon ? colon + 1 : NULL;
        if (colon)
            *colon = '\0';
        if (!is_host_name(host))
            return hint;
    }
    if (!copy_text(host, strlen(host), out->name, sizeof(out->name)))
        return hint;
    return port ? config_read_port(port, &out->port) : NULL;
}

const char *config_read_stun(const char *text, struct config_host *out)
{
    char copy[300];
    struct config_host host = {.port = CONFIG_PORT_STUN};
    if (!copy_text(text, strlen(text), copy, sizeof(copy)))
        return "too long for a host";
    const char *wrong = read_host(copy, "no host: give HOST or HOST:PORT, an IPv6 address in brackets",
                                  "an IPv6 address needs brackets: give [fd00::4] or [fd00::4]:3478", &host);
    if (!wrong)
        *out = host;
    return wrong;
}

const char *config_read_connect(const char *text, struct config_connect *out)
{
    struct config_connect c = {.port = CONFIG_PORT_CONTROL};
    const char *at = strchr(text, '@');
    char id[ID_TEXT_MAX], endpoint[300];
    if (!copy_text(text, at ? (size_t)(at - text) : strlen(text), id, sizeof(id)))
        id[0] = '\0';
    const char *wrong = config_read_id(id, &c.id);
    if (!wrong && at && !copy_text(at + 1, strlen(at + 1), endpoint, sizeof(endpoint)))
        wrong = "too long for a host";
    struct config_host host = {.port = c.port};
    if (!wrong && at)
        wrong = read_host(endpoint,
                          "no host after the '@': give ID@HOST or ID@HOST:PORT, an IPv6 address in brackets",
                          "an IPv6 address needs brackets: give ID@[fd00::4] or ID@[fd00::4]:8443", &host);
    memcpy(c.host, host.name, sizeof(c.host));
    c.port = host.port;
    if (!wrong)
        *out = c;
    return wrong;
}
