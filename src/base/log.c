/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: time, level, text, on stderr. Any thread: a line is built on the stack and leaves in one
 * write(2), by a thread of its own once log_start_writer was called: who reads the log may stall or leave. Text
 * may quote names that strangers chose, so every line is cleaned. */

#include "base/log.h"

#include "base/log_queue.h"
#include "base/text.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DIRECT_WAIT_MS 100 /* for the reader, before there is a writer */
#define FLUSH_ROUNDS   25  /* of FLUSH_NS at the end */
#define FLUSH_NS       10000000

static _Atomic int max_level = LOG_LEVEL_INFO;
static struct log_queue queue = LOG_QUEUE_INIT;
static atomic_bool has_writer;

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
    return text_clean(out, len);
}

static size_t compose(char line[LOG_LINE_MAX], enum log_level level, const char *format, va_list args)
{
    int saved_errno = errno;
    size_t n = put_stamp(line, LOG_LINE_MAX, level);

    errno = saved_errno; /* for %m */
    n += put_text(line + n, LOG_LINE_MAX - n, format, args);
    line[n++] = '\n';
    return n;
}

/* POLLOUT of a pipe promises room for a whole line. The terminal or pipe is shared with other programs, so it
 * is not made O_NONBLOCK. */
static bool can_write(int wait_ms)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&out, 1, wait_ms) != 0;
}

/* A reader that left, or a full disk, loses the line. */
static void write_line(const char *line, size_t len)
{
    while (len) {
        ssize_t n = write(STDERR_FILENO, line, len);

        if (n > 0) {
            line += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            (void)can_write(-1); /* another program made it O_NONBLOCK */
        } else if (errno != EINTR) {
            return;
        }
    }
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    int saved_errno = errno;
    va_list args;
    size_t n;

    if (!log_enabled(level))
        return;
    va_start(args, format);
    n = compose(line, level, format, args);
    va_end(args);
    if (has_writer)
        log_queue_put(&queue, line, n);
    else if (can_write(DIRECT_WAIT_MS))
        write_line(line, n);
    else
        log_queue_lose(&queue);
    errno = saved_errno;
}

static size_t compose_loss(char line[LOG_LINE_MAX], const char *format, ...)
{
    va_list args;
    size_t n;

    va_start(args, format);
    n = compose(line, LOG_LEVEL_WARN, format, args);
    va_end(args);
    return n;
}

static void *write_lines(void *arg)
{
    char line[LOG_LINE_MAX];
    uint64_t lost;

    (void)arg;
    for (;;) {
        size_t n = log_queue_take(&queue, line, &lost);
        size_t loss = n ? 0
                        : compose_loss(line, "%" PRIu64 " line%s lost: the reader of the log is slow", lost,
                                       lost == 1 ? " was" : "s were");

        write_line(line, n + loss);
        log_queue_taken(&queue, n);
    }
    return NULL;
}

/* What waits gets FLUSH_ROUNDS * FLUSH_NS to leave. */
static void flush(void)
{
    const struct timespec pause = {.tv_nsec = FLUSH_NS};

    for (unsigned i = 0; i < FLUSH_ROUNDS && !log_queue_is_done(&queue); i++)
        nanosleep(&pause, NULL);
}

static void on_abort(int number)
{
    (void)number; /* abort() raises it again when this returns, without the handler */
    flush();
}

static int start_thread(void)
{
    sigset_t all, before;
    pthread_t thread;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are other threads' business */
    err = pthread_create(&thread, NULL, write_lines, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err == 0)
        pthread_detach(thread);
    return err == 0 ? 0 : ERR_NOMEM;
}

int log_start_writer(void)
{
    struct sigaction on_sigabrt = {.sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND};
    int err = start_thread();

    if (err) {
        log_error("cannot start the thread that writes the log: %s", err_str(err));
        return err;
    }
    atexit(flush);
    at_quick_exit(flush);
    sigaction(SIGABRT, &on_sigabrt, NULL);
    has_writer = true;
    return 0;
}

bool log_limit_pass(struct log_limit *limit, uint64_t now_us, uint64_t interval_us, uint64_t *suppressed)
{
    const struct bucket_rate rate = {interval_us, 1};
    if (!bucket_take(&limit->bucket, &rate, 1, now_us)) {
        limit->suppressed++;
        return false;
    }
    *suppressed = limit->suppressed;
    limit->suppressed = 0;
    return true;
}
