/* SPDX-License-Identifier: Apache-2.0 */
/* As hosts.c does for peers; a server keeps its addresses while its name cannot be found. Control thread. */

#include "node/underlay/stun_hosts.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/helper/helper_message.h"
#include "node/helper/name_client.h"

/* When it changes. */
static void tell_looked_up(struct stun_host *h, const char *why)
{
    bool failed = why != NULL;
    if (failed && !h->failed)
        log_warn("-stun %s: the name cannot be looked up (%s); it is asked for again", h->host->name, why);
    else if (!failed && h->failed)
        log_info("-stun %s: the name is found", h->host->name);
    h->failed = failed;
}

static void tell_found(const struct stun_host *h, const struct addr *found, unsigned count)
{
    struct addr list[HELPER_ADDRESSES_MAX];
    for (unsigned i = 0; i < count; i++) {
        list[i] = found[i];
        list[i].port = h->host->port;
    }
    h->hosts->found(h->hosts->context, (unsigned)(h - h->hosts->list), list, count);
}

static void on_looked_up(void *context, const struct addr *found, unsigned count, const char *why)
{
    struct stun_host *h = context;
    h->busy = false;
    h->wait_us = name_client_wait_us(count > 0, h->wait_us);
    h->next_us = clock_monotonic_us() + (count ? STUN_HOSTS_FRESH_US : h->wait_us);
    tell_looked_up(h, count ? NULL : why);
    if (count)
        tell_found(h, found, count);
}

static void look_up(struct stun_host *h)
{
    int err = name_client_ask(h->hosts->names, h->host->name, on_looked_up, h);
    h->busy = !err;
    if (err == ERR_ARGUMENT)
        tell_looked_up(h, "it is no name");
}

void stun_hosts_init(struct stun_hosts *hs, const struct config *config, struct name_client *names,
                     void (*found)(void *context, unsigned i, const struct addr *list, unsigned count),
                     void *context)
{
    *hs =
        (struct stun_hosts){.names = names, .found = found, .context = context, .count = config->stun_count};
    for (unsigned i = 0; i < hs->count; i++) {
        struct stun_host *h = &hs->list[i];
        struct addr a;
        *h = (struct stun_host){.hosts = hs, .host = &config->stun[i]};
        h->literal = addr_parse(h->host->name, 0, &a) == 0;
        if (h->literal)
            tell_found(h, &a, 1);
    }
    stun_hosts_tick(hs, clock_monotonic_us());
}

void stun_hosts_tick(struct stun_hosts *hs, uint64_t now_us)
{
    for (unsigned i = 0; i < hs->count; i++) {
        struct stun_host *h = &hs->list[i];
        if (!h->literal && !h->busy && now_us >= h->next_us)
            look_up(h);
    }
}

void stun_hosts_forget(struct stun_hosts *hs)
{
    for (unsigned i = 0; i < hs->count; i++)
        hs->list[i].next_us = hs->list[i].wait_us = 0;
}
