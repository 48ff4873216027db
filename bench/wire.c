/* SPDX-License-Identifier: Apache-2.0 */
/* A wire that takes its time, between two TAP devices that it makes: what a kernel with netem would do. Each is to be
 * moved into a network namespace of its own. Both directions are alike (line.h), but for the losses; one thread
 * carries them, before everything else on the machine if it may.
 *
 *   wire A B DELAY-MS LOSS-PERCENT SEED [RATE-MBIT BUFFER-MS [mark]]
 *
 * The same seed loses the same of the same packets. Prints "ready" once the devices exist, and ends with SIGTERM: then
 * one line of JSON with what either direction passed, lost, marked, and how late a frame came out at most. */

#include "frame/offload.h"
#include "line.h"
#include "net/tap.h"
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUND      64                  /* frames read before those that are due have their turn */
#define ROOM       ((size_t)1 << 30)   /* bytes on the way: 2 Gbit/s for 4 s */
#define KEEP       (256 * 1024 * 1024) /* of memory that was used, against giving it back all the time */
#define PRIORITY   50                  /* above the workers of a node (node/data/boost.h) */
#define MS_NS      1e6
#define MBIT       1e6
#define SECOND_NS  1000000000ull
#define DIRECTIONS 2

static volatile sig_atomic_t stopped;

struct direction {
    struct tap *from, *to;
    struct line *line;
    uint64_t late_ns, refused;
};

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "wire: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* Whether there may be more to read. */
static bool take(struct direction *d)
{
    static uint8_t frame[OFFLOAD_FRAME_MAX];
    struct virtio_net_hdr vnet;
    for (int i = 0; i < ROUND; i++) {
        ssize_t len = tap_read(d->from->queues[0], &vnet, frame, sizeof(frame));
        if (len <= 0)
            return false;
        line_push(d->line, &vnet, frame, (size_t)len, now_ns());
    }
    return true;
}

static void give(struct direction *d)
{
    size_t len;
    uint64_t now = now_ns();
    for (uint8_t *data; (data = line_front(d->line, now, &len)); line_pop(d->line)) {
        const struct iovec iov = {data, len};
        uint64_t late = now - line_next(d->line);
        if (late > d->late_ns)
            d->late_ns = late;
        d->refused += tap_write(d->to->queues[0], &iov, 1) != 0;
        now = now_ns();
    }
}

/* Until a frame comes, one is due, or a signal. */
static void rest(const struct direction d[DIRECTIONS], const sigset_t *unblocked)
{
    struct pollfd fds[DIRECTIONS] = {{d[0].from->queues[0], POLLIN, 0}, {d[1].from->queues[0], POLLIN, 0}};
    uint64_t first = line_next(d[0].line), second = line_next(d[1].line), now = now_ns();
    uint64_t next = first < second ? first : second, wait = next > now ? next - now : 0;
    const struct timespec timeout = {(time_t)(wait / SECOND_NS), (long)(wait % SECOND_NS)};
    ppoll(fds, DIRECTIONS, next == UINT64_MAX ? NULL : &timeout, unblocked);
}

static void carry(struct direction d[DIRECTIONS])
{
    sigset_t stops, unblocked;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigprocmask(SIG_BLOCK, &stops, &unblocked);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
    while (!stopped) {
        bool more = false;
        for (int i = 0; i < DIRECTIONS; i++) {
            more |= take(&d[i]);
            give(&d[i]);
        }
        if (!more)
            rest(d, &unblocked);
    }
}

static void report(const struct direction *d, const char *name, const char *end)
{
    const struct line_counters c = line_counters(d->line);
    printf("\"%s\": {\"passed\": %llu, \"lost\": %llu, \"marked\": %llu, \"overflowed\": %llu, \"no_room\": "
           "%llu, "
           "\"refused\": %llu, \"late_ms\": %.3f}%s",
           name, (unsigned long long)c.passed, (unsigned long long)c.lost, (unsigned long long)c.marked,
           (unsigned long long)c.overflowed, (unsigned long long)c.no_room, (unsigned long long)d->refused,
           (double)d->late_ns / MS_NS, end);
}

static struct line_config config_of(int argc, char **argv)
{
    const struct line_config config = {
        .delay_ns = (uint64_t)(strtod(argv[3], NULL) * MS_NS),
        .loss = strtod(argv[4], NULL) / 100,
        .seed = strtoull(argv[5], NULL, 10),
        .rate = argc > 7 ? strtod(argv[6], NULL) * MBIT : 0,
        .buffer_ns = argc > 7 ? (uint64_t)(strtod(argv[7], NULL) * MS_NS) : 0,
        .mark = argc > 8,
        .room = ROOM,
    };
    check(config.loss >= 0 && config.loss < 1, "the loss is a percentage below 100");
    return config;
}

int main(int argc, char **argv)
{
    struct tap taps[DIRECTIONS];
    check(argc == 6 || argc == 8 || (argc == 9 && !strcmp(argv[8], "mark")),
          "usage: wire A B DELAY-MS LOSS-PERCENT SEED [RATE-MBIT BUFFER-MS [mark]]");
    struct line_config config = config_of(argc, argv);
    struct direction d[DIRECTIONS] = {{.from = &taps[0], .to = &taps[1]}, {.from = &taps[1], .to = &taps[0]}};
    for (int i = 0; i < DIRECTIONS; i++) {
        check(tap_create(argv[1 + i], TAP_ETHERNET, 1, &taps[i]) == 0, "no TAP device could be made");
        check(line_new(&config, &d[i].line) == 0, "no memory");
        config.seed = ~config.seed; /* each direction has its own losses */
    }
    mallopt(M_TRIM_THRESHOLD, KEEP);
    mallopt(M_TOP_PAD, KEEP / 8);
    /* Refused, it is as late as others are busy: the report tells. */
    (void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = PRIORITY});
    puts("ready");
    fflush(stdout);
    carry(d);
    fputs("{", stdout);
    report(&d[0], argv[1], ", ");
    report(&d[1], argv[2], "}\n");
    for (int i = 0; i < DIRECTIONS; i++) {
        line_free(d[i].line);
        tap_close(&taps[i]);
    }
    return 0;
}
