/* SPDX-License-Identifier: Apache-2.0 */
/* One survey runs at a time; who asks meanwhile gets its result, too. docs/PROTOCOL.md §19. Control thread. */

#include "node/netcheck/survey.h"

#include "base/clock.h"
#include "base/slot_set.h"
#include "node/netcheck/netcheck_udp.h"
#include <stdlib.h>

#define NOBODY UINT32_MAX

struct survey {
    struct survey_config config;
    struct slot_set waiting;
    struct punch_seen found; /* by the last one … */
    uint64_t found_us;       /* … then; 0: it does not count */
    bool running, over;      /* it has sockets; they are being closed */
    bool closing;            /* and then this is freed */
    uint32_t keeper;         /* the slot that the first socket is for; NOBODY */
    struct udp_socket first; /* its, once the survey is over; fd -1: there is none */
    struct addr first_seen;
    struct addr server;
    struct netcheck_udp udp;
};

static void let_go(struct survey *s)
{
    if (s->first.fd >= 0)
        udp_close(&s->first, 1);
    s->keeper = NOBODY;
}

static void hand_over(struct survey *s)
{
    struct punch_seen found = s->found;
    uint32_t slot = s->keeper;
    found.fresh = s->first_seen;
    if (s->config.seen(s->config.context, slot, &found, &s->first))
        s->first.fd = -1;
}

static void tell_all(struct survey *s)
{
    uint32_t slot;
    for (unsigned count = s->waiting.count; count && slot_set_take(&s->waiting, &slot); count--)
        if (slot == s->keeper && s->first.fd >= 0)
            hand_over(s);
        else
            (void)s->config.seen(s->config.context, slot, &s->found, NULL);
    let_go(s);
}

static void keep(struct survey *s, const struct punch_seen *found)
{
    s->found = *found;
    s->found_us = clock_monotonic_us();
}

static void on_udp_closed(void *context)
{
    struct survey *s = context;
    s->running = false;
    if (!s->closing) {
        tell_all(s);
        return;
    }
    let_go(s);
    free(s);
}

/* Somebody wants the first socket, and we know how it is seen. */
static void save_first(struct survey *s)
{
    const struct addr *seen = netcheck_udp_seen(&s->udp, NAT_CHECK_MAIN, s->server.family);
    if (s->keeper == NOBODY || !seen)
        return;
    s->first_seen = *seen;
    s->first = netcheck_udp_take(&s->udp, NAT_CHECK_MAIN);
}

static void end(struct survey *s)
{
    s->over = true;
    save_first(s);
    netcheck_udp_close(&s->udp, on_udp_closed);
}

static void finish(struct survey *s, const struct punch_seen *found)
{
    keep(s, found);
    end(s);
}

static void compare(struct survey *s, const struct addr *first, const struct addr *second)
{
    int32_t step = (int32_t)second->port - first->port;
    enum nat_ports ports = abs(step) <= NAT_SEQUENTIAL_MAX ? NAT_PORTS_SEQUENTIAL : NAT_PORTS_RANDOM;
    finish(s, &(struct punch_seen){.ports = ports, .last = *second, .step = step});
}

static void on_progress(void *context)
{
    struct survey *s = context;
    const struct addr *first = netcheck_udp_seen(&s->udp, NAT_CHECK_MAIN, s->server.family),
                      *second = netcheck_udp_seen(&s->udp, NAT_CHECK_SECOND, s->server.family);
    if (second)
        compare(s, first, second);
    else if (first && first->port == s->udp.sockets[NAT_CHECK_MAIN].port)
        finish(s, &(struct punch_seen){.ports = NAT_PORTS_KEPT, .last = *first});
    else if ((!first || !netcheck_udp_look(&s->udp, NAT_CHECK_SECOND, &s->server)) &&
             netcheck_udp_is_over(&s->udp))
        finish(s, &(struct punch_seen){0});
}

static void begin(struct survey *s)
{
    s->server = *s->config.server(s->config.context);
    if (!s->server.family || netcheck_udp_open(&s->udp, s->config.loop, on_progress, s)) {
        keep(s, &(struct punch_seen){0});
        tell_all(s);
        return;
    }
    s->running = true;
    s->over = false;
    (void)netcheck_udp_look(&s->udp, NAT_CHECK_MAIN, &s->server);
}

int survey_new(const struct survey_config *config, struct survey **out)
{
    struct survey *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->config = *config;
    s->keeper = NOBODY;
    s->first.fd = -1;
    *out = s;
    return 0;
}

/* A sequence goes on meanwhile: it is looked at anew each time. */
static bool still_holds(const struct survey *s)
{
    return s->found_us && clock_monotonic_us() - s->found_us < SURVEY_KEEP_US &&
           (s->found.ports == NAT_PORTS_KEPT || s->found.ports == NAT_PORTS_RANDOM);
}

void survey_look(struct survey *s, uint32_t slot, bool keep)
{
    slot_set_add(&s->waiting, slot);
    if (keep && s->keeper == NOBODY && !(s->running && s->over))
        s->keeper = slot;
    if (s->running)
        return;
    if (still_holds(s) && !keep)
        tell_all(s);
    else
        begin(s);
}

void survey_forget(struct survey *s)
{
    s->found_us = 0;
}

void survey_close(struct survey *s)
{
    if (!s)
        return;
    s->closing = true;
    if (!s->running)
        free(s);
    else if (!s->over)
        end(s);
}
