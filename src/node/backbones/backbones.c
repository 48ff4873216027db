/* SPDX-License-Identifier: Apache-2.0 */
/* The list of them; each (backbone.c) goes its own way. */
#include "node/backbones/backbones.h"

#include "node/backbones/backbones_impl.h"
#include "node/backbones/homing.h"
#include "node/backbones/instance_cache.h"
#include "node/backbones/visits.h"
#include "node/config/proxy.h"
#include "node/rendezvous/rendezvous.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is kept on disk ---- */

static const struct instances *instances_of(void *context, unsigned number)
{
    const struct backbones *all = context;
    return number < all->count ? &all->list[number].instances : NULL;
}

static void remember(void *context, const char *home, struct slice list)
{
    struct backbones *all = context;
    for (unsigned i = 0; i < all->count; i++)
        if (strcmp(all->list[i].instances.home, home) == 0)
            instances_remember(&all->list[i].instances, list);
}

static int open_cache(struct backbones *all)
{
    const struct instance_cache_config config = {all->config.loop, all->config.folder, instances_of, all};
    if (!config.folder)
        return 0;
    instance_cache_read(config.folder, remember, all);
    return instance_cache_new(&config, &all->cache);
}

/* ---- life ---- */

static int open_all(struct backbones *all, const struct backbones_config *config)
{
    int err = all ? 0 : ERR_NOMEM;
    for (unsigned i = 0; i < config->count; i++) {
        if (err)
            close(config->places[i].uplink);
        else
            err = backbones_open(all, &config->places[i]);
    }
    for (unsigned i = config->count; err && i < config->place_count; i++)
        close(config->places[i].uplink);
    if (!err)
        err = visits_new(config, &all->visits);
    return err ? err : open_cache(all);
}

int backbones_new(const struct backbones_config *config, struct backbones **out)
{
    struct backbones *all = calloc(1, sizeof(*all));
    if (all)
        all->config = *config;
    int err = open_all(all, config);
    if (err) {
        backbones_close(all);
        return err;
    }
    for (unsigned i = 0; i < all->count; i++)
        rendezvous_start(all->list[i].rendezvous);
    *out = all;
    return 0;
}

void backbones_leave_directories(struct backbones *all)
{
    for (unsigned i = 0; i < backbones_count(all); i++) {
        rendezvous_close(all->list[i].rendezvous);
        homing_close(all->list[i].homing);
        all->list[i].rendezvous = NULL;
        all->list[i].homing = NULL;
    }
    if (all)
        visits_leave_names(all->visits);
}

void backbones_close(struct backbones *all)
{
    backbones_leave_directories(all);
    if (all)
        instance_cache_close(all->cache);
    for (unsigned i = 0; i < backbones_count(all); i++)
        uplink_close(all->list[i].uplink);
    if (all)
        visits_close(all->visits);
    free(all);
}

/* ---- what is asked of them ---- */

void backbones_changed(struct backbones *all)
{
    for (unsigned i = 0; i < backbones_count(all); i++)
        rendezvous_changed(all->list[i].rendezvous);
}

void backbones_network_changed(struct backbones *all)
{
    for (unsigned i = 0; i < backbones_count(all); i++)
        uplink_network_changed(all->list[i].uplink);
    if (all)
        visits_network_changed(all->visits);
}

void backbones_want(struct backbones *all, const struct node_id *id)
{
    for (unsigned i = 0; i < backbones_count(all); i++)
        if (all->list[i].rendezvous)
            rendezvous_want(all->list[i].rendezvous, id);
}

void backbones_forget(struct backbones *all, const struct node_id *id)
{
    for (unsigned i = 0; i < backbones_count(all); i++)
        if (all->list[i].rendezvous)
            rendezvous_forget(all->list[i].rendezvous, id);
}

static struct uplink *uplink_of(const struct backbones *all, unsigned number)
{
    return number < all->count ? all->list[number].uplink : visits_uplink(all->visits, number);
}

void backbones_check(struct backbones *all, unsigned number)
{
    uplink_check(uplink_of(all, number));
}

void backbones_pair(struct backbones *all, unsigned number, const struct node_id *id, bool on)
{
    uplink_pair(uplink_of(all, number), id, on);
}

void backbones_relay(struct backbones *all, unsigned number, const struct node_id *id)
{
    uplink_relay(uplink_of(all, number), id);
}

/* ---- for people ---- */

unsigned backbones_count(const struct backbones *all)
{
    return all ? all->count : 0;
}

const char *backbones_url(const struct backbones *all, unsigned number)
{
    return number < all->count ? all->list[number].instances.home : visits_url(all->visits, number);
}

struct backbone_status backbones_status(const struct backbones *all, unsigned number)
{
    const struct backbone *b = &all->list[number];
    const char *why;
    bool registered = rendezvous_is_registered(b->rendezvous, &why);
    return (struct backbone_status){.url = b->instances.home,
                                    .instance = b->instances.away,
                                    .proxy = b->proxy->shown,
                                    .reachable = rendezvous_is_reachable(b->rendezvous),
                                    .registered = registered,
                                    .error = registered ? "" : why,
                                    .uplink = uplink_status(b->uplink)};
}
