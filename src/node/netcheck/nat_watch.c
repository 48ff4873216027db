/* SPDX-License-Identifier: Apache-2.0 */
/* One inquiry at a time. Its verdict is told when all is answered, or with the first tick after its time. */

#include "node/netcheck/nat_watch.h"

#include "base/clock.h"

static void on_udp_closed(void *context)
{
    struct nat_watch *w = context;
    w->running = false;
}

static void end(struct nat_watch *w)
{
    netcheck_udp_close(&w->udp, on_udp_closed);
    w->closed = true;
}

static void tell(struct nat_watch *w)
{
    for (unsigned family = 4; family <= 6; family += 2) {
        struct nat nat;
        netcheck_udp_judge(&w->udp, family, &nat);
        w->config.found(w->config.context, family, &nat);
    }
    end(w);
}

static void on_progress(void *context)
{
    struct nat_watch *w = context;
    if (netcheck_udp_is_over(&w->udp))
        tell(w);
}

/* Without a server that answers there is nobody to ask: later, perhaps. */
static void begin(struct nat_watch *w, uint64_t now_us)
{
    struct addr servers[2 * NAT_CHECK_SERVERS_MAX];
    unsigned count = w->config.servers(w->config.context, servers);
    if (!count || netcheck_udp_open(&w->udp, w->config.loop, on_progress, w))
        return;
    w->running = true;
    w->closed = false;
    w->due_us = TIME_NEVER;
    w->begun_us = now_us;
    for (unsigned i = 0; i < count; i++)
        netcheck_udp_add(&w->udp, &servers[i]);
}

void nat_watch_init(struct nat_watch *w, const struct nat_watch_config *config, uint64_t now_us)
{
    *w = (struct nat_watch){.config = *config, .due_us = now_us + NAT_WATCH_AFTER_US};
}

void nat_watch_changed(struct nat_watch *w, uint64_t now_us)
{
    uint64_t soonest_us = w->begun_us ? w->begun_us + NAT_WATCH_PAUSE_US : 0;
    w->due_us = now_us + NAT_WATCH_AFTER_US;
    if (w->due_us < soonest_us)
        w->due_us = soonest_us;
}

void nat_watch_tick(struct nat_watch *w, uint64_t now_us)
{
    if (w->running && !w->closed && now_us - w->begun_us > NAT_WATCH_FOR_US)
        tell(w);
    else if (!w->running && now_us >= w->due_us)
        begin(w, now_us);
}

void nat_watch_close(struct nat_watch *w)
{
    w->due_us = TIME_NEVER;
    if (w->running && !w->closed)
        end(w);
}
