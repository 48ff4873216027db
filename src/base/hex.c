/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as hex digits. Any thread. */

#include "base/hex.h"

#include <string.h>

static int value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(const char *text, uint8_t *out, size_t len)
{
    size_t digits = 0;
    while (digits <= 2 * len && value(text[digits]) >= 0)
        digits++;
    if (digits != 2 * len || text[digits])
        return ERR_ARGUMENT;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(value(text[2 * i]) << 4 | value(text[2 * i + 1]));
    return 0;
}

static char *put(uint8_t byte, char *out)
{
    static const char digits[] = "0123456789abcdef";
    out[0] = digits[byte >> 4];
    out[1] = digits[byte & 15];
    return out + 2;
}

char *hex_encode(const uint8_t *bytes, size_t len, char *out)
{
    char *end = out;
    for (size_t i = 0; i < len; i++)
        end = put(bytes[i], end);
    *end = '\0';
    return out;
}

char *mac_format(const uint8_t mac[6], char out[MAC_TEXT_MAX])
{
    char *end = out;
    for (unsigned i = 0; i < 6; i++) {
        end = put(mac[i], end);
        *end++ = ':';
    }
    end[-1] = '\0';
    return out;
}
