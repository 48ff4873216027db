/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/doors/destination.h"

#include <string.h>

#define NAME_LEN_MAX 253 /* RFC 1035 §2.3.4, as text */

static bool is_name(const char *text)
{
    static const char signs[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    size_t len = strlen(text);
    return len && text[0] != '.' && text[len - 1] != '.' && strspn(text, signs) == len && !strstr(text, "..");
}

static void set_address(const struct addr *a, uint16_t port, struct destination *out)
{
    *out = (struct destination){.address = *a, .port = port};
    out->address.port = port;
}

int destination_from_text(const char *text, size_t len, uint16_t port, struct destination *out)
{
    struct destination t = {.port = port};
    struct addr a;
    if (len && text[len - 1] == '.')
        len--;
    if (len > NAME_LEN_MAX || memchr(text, '\0', len) || memchr(text, '[', len))
        return ERR_FORMAT;
    for (size_t i = 0; i < len; i++)
        t.name[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 'a' - 'A' : text[i]);
    if (addr_parse(t.name, 0, &a) == 0 && a.port == 0) {
        set_address(&a, port, out);
        return 0;
    }
    if (!is_name(t.name))
        return ERR_FORMAT;
    *out = t;
    return 0;
}

/* An IPv4 address is one, however it is written. */
void destination_from_bytes(const uint8_t *bytes, size_t len, uint16_t port, struct destination *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    struct addr a = {.family = len == 4 ? 4 : 6};
    if (len == 16 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        a.family = 4;
        bytes += sizeof(mapped);
    }
    memcpy(a.ip, bytes, a.family == 4 ? 4 : 16);
    set_address(&a, port, out);
}
