/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams on a Unix socket that never wait: a manager that does not read loses them. */
#include "net/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define STATUS_MAX    200 /* bytes */
#define ALIVE_A_LIMIT 3   /* signs of life in the time within which the watchdog wants one */

static int fd = -1;
static uint64_t alive_every_us; /* 0: there is no watchdog */
static uint64_t alive_us;
static char status[STATUS_MAX];

static void say(const char *text)
{
    if (fd >= 0)
        (void)!send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A path, or with '@' a name of the abstract space (unix(7)). 0: it is neither. */
static socklen_t address_of(const char *text, struct sockaddr_un *out)
{
    size_t len = strlen(text);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len < 2 || len >= sizeof(out->sun_path) || (text[0] != '/' && text[0] != '@'))
        return 0;
    memcpy(out->sun_path, text, len);
    if (text[0] == '@')
        out->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static uint64_t number_of(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : 0;
}

/* It may be meant for another process of this service. */
static void read_watchdog(void)
{
    uint64_t pid = number_of("WATCHDOG_PID");
    bool ours = pid == 0 || pid == (uint64_t)getpid();
    alive_every_us = ours ? number_of("WATCHDOG_USEC") / ALIVE_A_LIMIT : 0;
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}

bool notify_open(void)
{
    const char *text = getenv("NOTIFY_SOCKET");
    struct sockaddr_un at;
    if (!text)
        return true;
    socklen_t len = address_of(text, &at);
    errno = len ? 0 : EINVAL;
    if (len)
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, len)) {
        close(fd);
        fd = -1;
    }
    unsetenv("NOTIFY_SOCKET");
    read_watchdog();
    return fd >= 0;
}

void notify_ready(void)
{
    say("READY=1");
}

/* By the manager's clock, which stands still while the machine sleeps, as base/clock's does not. */
void notify_reloading(void)
{
    char text[64];
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld%06ld", (long long)t.tv_sec,
             t.tv_nsec / 1000);
    say(text);
}

void notify_status(const char *format, ...)
{
    char line[STATUS_MAX] = "STATUS=";
    va_list args;
    va_start(args, format);
    vsnprintf(line + 7, sizeof(line) - 7, format, args);
    va_end(args);
    if (strcmp(line, status) == 0)
        return;
    strcpy(status, line);
    say(status);
}

void notify_alive(uint64_t now_us)
{
    if (!alive_every_us || (alive_us && now_us - alive_us < alive_every_us))
        return;
    alive_us = now_us;
    say("WATCHDOG=1");
}

void notify_stopping(void)
{
    say("STOPPING=1");
}
