/* SPDX-License-Identifier: Apache-2.0 */
/* A side for each family, and the node's channel: one thread that waits for all of them. */
#include "node/helper/portmap_helper.h"

#include "base/clock.h"
#include "node/helper/helper_cage.h"
#include "node/helper/helper_channel.h"
#include "node/helper/portmap_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIDES   2
#define LAST_US 800000ull /* for the router to hear that we go: the keeper ends us after a second */

struct portmap_helper {
    int fd;
    struct portmap_side sides[SIDES]; /* IPv4, IPv6 */
    struct helper_message told[SIDES];
    uint64_t last_us; /* TIME_NEVER while the node is there */
    struct helper_packet packet;
};

static const uint8_t families[SIDES] = {4, 6};

static void init(struct portmap_helper *h, int fd, const struct portmap_helper_config *config)
{
    h->fd = fd;
    h->last_us = TIME_NEVER;
    for (unsigned i = 0; i < SIDES; i++) {
        struct mapper_config mapper = {.ports = {config->port, config->control_port}};
        memcpy(mapper.nonce, config->nonce, sizeof(mapper.nonce));
        mapper.nonce[1] ^= families[i];
        portmap_side_init(&h->sides[i], &mapper);
    }
}

/* ---- the node ---- */

static int on_ask(struct portmap_helper *h, uint64_t now_us)
{
    const struct helper_message *m = &h->packet.message;
    static const struct addr none;
    const struct addr *ask[SIDES] = {NULL, NULL};
    if (m->kind != HELPER_PORTMAP_ASK || m->address_count % 2)
        return ERR_FORMAT;
    for (unsigned i = 0; i < m->address_count; i += 2) {
        if (m->addresses[i].family != m->addresses[i + 1].family)
            return ERR_FORMAT;
        ask[m->addresses[i].family == 6] = &m->addresses[i];
    }
    for (unsigned i = 0; i < SIDES; i++) {
        h->told[i] = (struct helper_message){0};
        portmap_side_ask(&h->sides[i], ask[i] ? ask[i] : &none, ask[i] ? ask[i] + 1 : &none, now_us);
    }
    return 0;
}

static bool is_told(const struct helper_message *told, const struct helper_message *m)
{
    bool same = told->kind == m->kind && told->number == m->number &&
                told->address_count == m->address_count && strcmp(told->text, m->text) == 0;
    for (unsigned i = 0; same && i < m->address_count; i++)
        same = addr_equal(&told->addresses[i], &m->addresses[i]);
    return same;
}

/* A node that does not take it now is told at the next turn. */
static void tell(struct portmap_helper *h)
{
    for (unsigned i = 0; i < SIDES; i++) {
        struct helper_message m;
        if (portmap_side_describe(&h->sides[i], &m) && !is_told(&h->told[i], &m) &&
            helper_channel_send(h->fd, &m) == 0)
            h->told[i] = m;
    }
}

static void on_gone(struct portmap_helper *h, uint64_t now_us)
{
    h->fd = -1;
    h->last_us = now_us + LAST_US;
    for (unsigned i = 0; i < SIDES; i++)
        portmap_side_release(&h->sides[i], now_us);
}

/* ---- turns ---- */

static int wait_ms(const struct portmap_helper *h)
{
    uint64_t now_us = clock_monotonic_us(), until_us = h->last_us;
    for (unsigned i = 0; i < SIDES; i++)
        if (portmap_side_next_us(&h->sides[i]) < until_us)
            until_us = portmap_side_next_us(&h->sides[i]);
    if (until_us == TIME_NEVER)
        return -1;
    return until_us > now_us ? (int)((until_us - now_us) / USEC_PER_MSEC) + 1 : 0;
}

static bool is_over(const struct portmap_helper *h)
{
    bool over = h->fd < 0;
    for (unsigned i = 0; i < SIDES; i++)
        over = over && portmap_side_released(&h->sides[i]);
    return over || clock_monotonic_us() >= h->last_us;
}

static int serve(struct portmap_helper *h)
{
    struct pollfd fds[1 + SIDES * PORTMAP_SIDE_FDS];
    while (!is_over(h)) {
        fds[0] = (struct pollfd){.fd = h->fd, .events = POLLIN};
        for (unsigned i = 0; i < SIDES; i++)
            portmap_side_wants(&h->sides[i], fds + 1 + i * PORTMAP_SIDE_FDS);
        if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms(h)) < 0)
            continue; /* a signal: none changes anything */
        uint64_t now_us = clock_monotonic_us();
        for (unsigned i = 0; i < SIDES; i++)
            portmap_side_turn(&h->sides[i], fds + 1 + i * PORTMAP_SIDE_FDS, now_us);
        int err = fds[0].revents ? helper_channel_receive(h->fd, &h->packet) : ERR_AGAIN;
        if (err == ERR_CLOSED)
            on_gone(h, now_us);
        else if (!err)
            err = on_ask(h, now_us);
        if (err == ERR_FORMAT)
            return EXIT_FAILURE;
        if (h->fd >= 0)
            tell(h);
    }
    return EXIT_SUCCESS;
}

int portmap_helper_run(int fd, const void *context)
{
    static struct portmap_helper h;
    const struct portmap_helper_config *config = context;
    struct helper_message first = {.kind = HELPER_READY};
    init(&h, fd, config);
    if (config->caged && helper_cage_enter(HELPER_CAGE_PORTMAP, first.text, sizeof(first.text)))
        first.kind = HELPER_UNABLE;
    if (helper_channel_send(fd, &first) != 0 || first.kind == HELPER_UNABLE)
        return EXIT_FAILURE;
    return serve(&h);
}
