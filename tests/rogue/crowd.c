/* SPDX-License-Identifier: Apache-2.0 */
/* Many peers of one node in one process, which by themselves do nothing but what keeps them connected: they answer probes.
 * Each is a puppet with a key of its own, dialled from an address of its own.
 *
 *   crowd COUNT LANES ID HOST CONTROL_PORT UDP_PORT
 *
 * Says "connected" on standard output, and does what lines on standard input tell:
 *
 *   change             all change keys at once; answers "changed" when all have
 *   send BYTES MS      for so long the peers send frames of so many bytes to the node's device, as fast as one thread can,
 *                      a train each in turn; answers "sent" and how many frames
 *
 * Ends with its standard input. */

#include "base/clock.h"
#include "puppet.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SERVE_EVERY 16                     /* of them that are dialled */
#define TRAIN       32                     /* frames that a peer sends in its turn */
#define FRAME_MAX   (1472 - WIRE_OVERHEAD) /* of a path of 1,500 bytes */
#define FRAME_MIN   14
#define SERVE_US    (500 * USEC_PER_MSEC) /* from one look at what came to the next, while they send */

struct crowd {
    struct puppet *peers;
    unsigned count, made;
};

static void serve(struct crowd *c)
{
    for (unsigned i = 0; i < c->made; i++)
        puppet_serve(&c->peers[i]);
}

/* From a /24 of its own, so that no limit for neighbours holds it up. */
static struct addr source_of(unsigned number)
{
    return (struct addr){.family = 4, .ip = {10, (uint8_t)(1 + (number >> 8)), (uint8_t)number, 1}};
}

static int join(struct crowd *c, uint8_t lanes, const struct node_id *id, const struct addr *control,
                const struct addr *data)
{
    struct puppet *p = &c->peers[c->made];
    const struct addr source = source_of(c->made);
    struct identity *me;
    struct hello hello;
    char refusal[MESSAGE_TEXT_MAX + 1];
    int err = identity_generate(&me);
    if (!err)
        err = puppet_open_as(p, me, id, control, data);
    if (err)
        return err;
    p->source = source;
    puppet_hello(p, &hello);
    hello.lanes = lanes;
    hello.macs[0][4] = (uint8_t)(c->made >> 8);
    hello.macs[0][5] = (uint8_t)c->made;
    err = puppet_dial(p, &hello, refusal);
    if (err)
        fprintf(stderr, "peer %u: %s %s\n", c->made, err_str(err), refusal);
    c->made++;
    return err;
}

static void change_keys(struct crowd *c)
{
    unsigned left = c->count;
    unsigned *before = calloc(c->count, sizeof(*before));
    if (!before)
        abort();
    for (unsigned i = 0; i < c->count; i++)
        before[i] = c->peers[i].steps;
    while (left > 0) {
        left = 0;
        for (unsigned i = 0; i < c->count; i++) {
            if (c->peers[i].steps != before[i])
                continue;
            left++;
            puppet_offer(&c->peers[i]);
        }
        serve(c);
    }
    free(before);
}

static void send_train(struct puppet *p, size_t len)
{
    uint8_t frame[FRAME_MAX] = {0};
    memcpy(frame, p->theirs.macs[0], 6);
    memcpy(frame + 6, p->mine.macs[0], 6);
    frame[12] = 0x88; /* for experiments (IEEE 802), which no kernel answers */
    frame[13] = 0xb5;
    for (unsigned i = 0; i < TRAIN; i++)
        puppet_seal(p, WIRE_DATA, &(struct wire_inner){0}, frame, len);
    puppet_flush(p);
}

static uint64_t send_frames(struct crowd *c, size_t len, uint64_t ms)
{
    uint64_t now_us = clock_monotonic_us(), end_us = now_us + ms * USEC_PER_MSEC, served_us = now_us,
             sent = 0;
    for (unsigned i = 0; now_us < end_us; i = (i + 1) % c->count, now_us = clock_monotonic_us()) {
        send_train(&c->peers[i], len);
        sent += TRAIN;
        if (now_us - served_us < SERVE_US)
            continue;
        serve(c);
        served_us = now_us;
    }
    return sent;
}

static void obey(struct crowd *c, const char *line)
{
    size_t len;
    unsigned long ms;
    if (sscanf(line, "send %zu %lu", &len, &ms) == 2 && len >= FRAME_MIN && len <= FRAME_MAX) {
        printf("sent %llu\n", (unsigned long long)send_frames(c, len, ms));
    } else {
        change_keys(c);
        printf("changed\n");
    }
    fflush(stdout);
}

/* Waits for a line or for what a peer has to look at. */
static void rest(const struct crowd *c, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (unsigned i = 0; i < c->count; i++) {
        fds[1 + 2 * i] = (struct pollfd){.fd = c->peers[i].udp.fd, .events = POLLIN};
        fds[2 + 2 * i] = (struct pollfd){.fd = c->peers[i].tcp, .events = POLLIN};
    }
    (void)poll(fds, 1 + 2 * c->count, -1);
}

/* Until the input ends. */
static void live(struct crowd *c, struct pollfd *fds)
{
    char line[64];
    for (ssize_t n = 1; n > 0;) {
        rest(c, fds);
        for (unsigned i = 0; i < c->count; i++)
            if (fds[1 + 2 * i].revents || fds[2 + 2 * i].revents)
                puppet_serve(&c->peers[i]);
        if (!fds[0].revents)
            continue;
        n = read(STDIN_FILENO, line, sizeof(line) - 1);
        line[n > 0 ? n : 0] = '\0';
        if (n > 0)
            obey(c, line);
    }
}

static bool read_address(const char *host, const char *port, struct addr *out)
{
    char text[64];
    snprintf(text, sizeof(text), "%s:%s", host, port);
    return addr_parse(text, 0, out) == 0;
}

int main(int argc, char **argv)
{
    struct addr control, data;
    struct node_id id;
    struct crowd c = {0};
    if (argc != 7 || id_parse(argv[3], &id) || !read_address(argv[4], argv[5], &control) ||
        !read_address(argv[4], argv[6], &data)) {
        fprintf(stderr, "usage: crowd COUNT LANES ID HOST CONTROL_PORT UDP_PORT\n");
        return 2;
    }
    c.count = (unsigned)atoi(argv[1]);
    c.peers = calloc(c.count, sizeof(*c.peers));
    struct pollfd *fds = calloc(1 + 2 * (size_t)c.count, sizeof(*fds));
    const struct rlimit files = {.rlim_cur = 3 * c.count + 64, .rlim_max = 3 * c.count + 64};
    if (!c.peers || !fds || setrlimit(RLIMIT_NOFILE, &files))
        return 1;
    while (c.made < c.count) {
        if (join(&c, (uint8_t)atoi(argv[2]), &id, &control, &data))
            return 1;
        if (c.made % SERVE_EVERY == 0)
            serve(&c);
    }
    printf("connected\n");
    fflush(stdout);
    live(&c, fds);
    return 0;
}
