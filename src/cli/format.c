/* SPDX-License-Identifier: Apache-2.0 */
/* Figures and names as people read them. Names come from the network: nothing is printed that was not
 * cleaned. */
#include "cli/format.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

char *format_bytes(uint64_t bytes, char out[FORMAT_MAX])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1000;
        unit++;
    }
    snprintf(out, FORMAT_MAX, "%.*f %s", unit > 0 && value < 9.95 ? 1 : 0, value, units[unit]);
    return out;
}

char *format_count(uint64_t count, char out[FORMAT_MAX])
{
    char digits[FORMAT_MAX];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
    char *to = out;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *to++ = ' ';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

char *format_rtt(double us, char out[FORMAT_MAX])
{
    double ms = us / 1000;
    if (!(us >= 0))
        snprintf(out, FORMAT_MAX, "-");
    else if (ms >= 999.5)
        snprintf(out, FORMAT_MAX, "%.2f s", ms / 1000);
    else
        snprintf(out, FORMAT_MAX, "%.*f ms", ms < 0.095 ? 2 : ms < 9.95 ? 1 : 0, ms);
    return out;
}

char *format_age(double seconds, char out[FORMAT_MAX])
{
    if (!(seconds >= 0) || seconds > 1e12) {
        snprintf(out, FORMAT_MAX, "-");
        return out;
    }
    unsigned long long s = (unsigned long long)seconds, minutes = s / 60, hours = minutes / 60;
    if (s < 60)
        snprintf(out, FORMAT_MAX, "%llu s", s);
    else if (minutes < 60)
        snprintf(out, FORMAT_MAX, "%llu min %02llu s", minutes, s % 60);
    else if (hours < 48)
        snprintf(out, FORMAT_MAX, "%llu h %02llu min", hours, minutes % 60);
    else
        snprintf(out, FORMAT_MAX, "%llu d %llu h", hours / 24, hours % 24);
    return out;
}

char *format_share(double share, char out[FORMAT_MAX])
{
    if (share >= 0 && share <= 1)
        snprintf(out, FORMAT_MAX, "%.1f %%", share * 100);
    else
        snprintf(out, FORMAT_MAX, "-");
    return out;
}

/* Decodes one character of UTF-8 at p, bytes long; 0 when it is malformed. */
static size_t decode(const unsigned char *p, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    if (n == 0)
        return 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *code = c;
    return n;
}

/* What moves a cursor, turns the text around or cannot be seen. */
static bool is_unprintable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
           c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

char *format_clean(const char *text)
{
    const unsigned char *p = (const unsigned char *)(text ? text : "");
    char *out = malloc(strlen((const char *)p) + 1), *to = out;
    if (!out)
        abort();
    while (*p) {
        uint32_t code = 0;
        size_t n = decode(p, &code);
        if (n == 0 || is_unprintable(code)) {
            *to++ = '?';
            p += n ? n : 1;
            continue;
        }
        memcpy(to, p, n);
        to += n;
        p += n;
    }
    *to = '\0';
    return out;
}

size_t format_width(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t width = 0;
    while (*p) {
        uint32_t code = 0;
        size_t n = decode(p, &code);
        int columns = n > 1 ? wcwidth((wchar_t)code) : 1;
        width += columns >= 0 ? (size_t)columns : 1;
        p += n ? n : 1;
    }
    return width;
}
