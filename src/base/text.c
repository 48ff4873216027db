/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8, and two lists of characters of Unicode 15: those that a terminal obeys, and those that nobody sees
 * (Default_Ignorable_Code_Point and what else has no shape). Any thread. */

#include "base/text.h"

#include <string.h>

struct range {
    uint32_t first, last;
};

static const struct range obeyed[] = {
    {0x00, 0x1f}, {0x7f, 0x9f}, {0x61c, 0x61c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
};

static const struct range unseen[] = {
    {0xad, 0xad},       {0x34f, 0x34f},     {0x115f, 0x1160},   {0x17b4, 0x17b5}, {0x180b, 0x180f},
    {0x200b, 0x200f},   {0x2060, 0x206f},   {0x3164, 0x3164},   {0xfdd0, 0xfdef}, {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0xfffe, 0xffff}, {0x13430, 0x1345f},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

static bool is_among(uint32_t code, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

static bool is_obeyed(uint32_t code)
{
    return is_among(code, obeyed, sizeof(obeyed) / sizeof(obeyed[0]));
}

static bool is_unseen(uint32_t code)
{
    return is_among(code, unseen, sizeof(unseen) / sizeof(unseen[0]));
}

/* Bytes of the character that this byte begins; 0 when none does. */
static size_t length_of(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

size_t text_decode(const char *text, size_t len, uint32_t *code)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text;
    size_t n = length_of(p[0]);
    if (n == 0 || n > len)
        return 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    if (c < lowest[n] || surrogate || c > 0x10ffff)
        return 0;
    *code = c;
    return n;
}

bool text_ok(const char *text, size_t len)
{
    uint32_t code = 0;
    for (size_t n, at = 0; at < len; at += n) {
        n = text_decode(text + at, len - at, &code);
        if (n == 0 || is_obeyed(code))
            return false;
    }
    return true;
}

size_t text_clean(char *text, size_t len)
{
    uint32_t code = 0;
    size_t to = 0;
    for (size_t n, at = 0; at < len; at += n ? n : 1) {
        n = text_decode(text + at, len - at, &code);
        if (n == 0 || is_obeyed(code) || is_unseen(code)) {
            text[to++] = '?';
            continue;
        }
        memmove(text + to, text + at, n);
        to += n;
    }
    return to;
}
