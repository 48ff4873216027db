/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: time, level, text, on stderr. Any thread: a line is built on the stack and leaves in one
 * write(2). Text may quote names that strangers chose, so control characters never reach the terminal. */

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024

static _Atomic int max_level = LOG_LEVEL_INFO;

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "?";
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

/* C0, DEL, and the C1 controls in their UTF-8 form (c2 80 to c2 9f). */
static void replace_controls(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned char next = i + 1 < len ? (unsigned char)text[i + 1] : 0;

        if (c < 0x20 || c == 0x7f)
            text[i] = '?';
        else if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
            text[i] = text[i + 1] = '?';
    }
}

static size_t put_stamp(char *out, size_t cap, enum log_level level)
{
    struct timespec t;
    struct tm utc;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &utc);
    n = strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &utc);
    return n + (size_t)snprintf(out + n, cap - n, ".%03ldZ %-5s ", t.tv_nsec / 1000000, level_name(level));
}

static size_t put_text(char *out, size_t cap, const char *format, va_list args)
{
    static const char cut[] = "...";
    int wanted = vsnprintf(out, cap, format, args);
    size_t len = wanted < 0 ? 0 : (size_t)wanted;

    if (len >= cap) {
        len = cap - 1;
        memcpy(out + len - (sizeof(cut) - 1), cut, sizeof(cut) - 1);
    }
    replace_controls(out, len);
    return len;
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LINE_MAX_LEN];
    int saved_errno = errno;
    va_list args;
    size_t n;

    if (!log_enabled(level))
        return;
    n = put_stamp(line, sizeof(line), level);
    errno = saved_errno; /* for %m */
    va_start(args, format);
    n += put_text(line + n, sizeof(line) - n, format, args);
    va_end(args);
    line[n++] = '\n';
    /* A reader that stalls or left may lose lines; the program does not wait for it. */
    while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR)
        ;
    errno = saved_errno;
}

bool log_limit_pass(struct log_limit *limit, uint64_t now_us, uint64_t interval_us, uint64_t *suppressed)
{
    if (now_us < limit->next_us) {
        limit->suppressed++;
        return false;
    }
    *suppressed = limit->suppressed;
    limit->suppressed = 0;
    limit->next_us = now_us + interval_us;
    return true;
}
