/* SPDX-License-Identifier: Apache-2.0 */
/* Figures and names as people read them. Names come from the network: nothing is printed that was not
 * cleaned. */
#include "cli/format.h"

#include "base/text.h"
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

char *format_clean(const char *text)
{
    char *out = strdup(text ? text : "");
    if (!out)
        abort();
    out[text_clean(out, strlen(out))] = '\0';
    return out;
}

size_t format_width(const char *text)
{
    size_t width = 0, left = strlen(text);
    while (left) {
        uint32_t code = 0;
        size_t n = text_decode(text, left, &code);
        int columns = n > 1 ? wcwidth((wchar_t)code) : 1;
        width += columns >= 0 ? (size_t)columns : 1;
        text += n ? n : 1;
        left -= n ? n : 1;
    }
    return width;
}
