/* SPDX-License-Identifier: Apache-2.0 */
/* One backbone: its directory, its uplink, and where they are used. One that dies is followed to another instance of its
 * cluster (instances.h), directory and uplink together. Of the others it asks where they are used, and who speaks: what
 * people are told of a peer that nobody knows comes from one of them alone, the first that answers. */
#include "node/backbones/backbones_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "node/backbones/homing.h"
#include "node/backbones/instance_cache.h"
#include "node/backbones/visits.h"
#include "node/carrier/streams.h"
#include "node/config/proxy.h"
#include "node/helper/helper_message.h"
#include "node/rendezvous/registration.h"
#include "node/rendezvous/rendezvous.h"
#include "proto/uplink/uplink_message.h"

#include <stdio.h>
#include <unistd.h>

#define WHY_MAX 1024

/* ---- what directories tell ---- */

static void on_describe(void *context, struct record *record)
{
    const struct backbones_events *e = &((struct backbone *)context)->all->config.events;
    e->describe(e->context, record);
}

static void on_found(void *context, const struct record *record, const struct record_bytes *bytes)
{
    const struct backbones_events *e = &((struct backbone *)context)->all->config.events;
    e->found(e->context, record, bytes);
}

static bool is_reachable(void *context)
{
    const struct backbone *b = context;
    return b->rendezvous && rendezvous_is_reachable(b->rendezvous);
}

/* The first that answers; the first of all where none does. */
static const struct backbone *speaker(struct backbones *all)
{
    for (unsigned i = 0; i < all->count; i++)
        if (is_reachable(&all->list[i]))
            return &all->list[i];
    return &all->list[0];
}

static void on_missing(void *context, const struct node_id *id, const char *why)
{
    const struct backbone *b = context;
    const struct backbones_events *e = &b->all->config.events;
    char whole[WHY_MAX];
    if (speaker(b->all) != b)
        return;
    snprintf(whole, sizeof(whole), "%s: %s", instances_at(&b->instances), why);
    e->missing(e->context, id, b->all->config.count > 1 ? whole : why);
}

static void on_clock(void *context, int64_t ahead_s)
{
    const struct backbones_events *e = &((struct backbone *)context)->all->config.events;
    e->clock(e->context, ahead_s);
}

/* STUN is served where HTTP reached it, and at an address of the other family, where its name has one. */
static void tell_reached(const struct backbone *b)
{
    const struct backbones_events *e = &b->all->config.events;
    struct addr list[1 + HELPER_ADDRESSES_MAX] = {b->at};
    const struct addr *named;
    unsigned found = b->proxy->url[0] ? 0 : rendezvous_addresses(b->rendezvous, &named),
             count = b->at.family != 0;
    for (unsigned i = 0; count && i < found; i++) {
        list[count] = named[i];
        list[count++].port = b->at.port;
    }
    e->reached(e->context, b->number, list, count);
}

static void on_state(void *context, bool reachable, const struct addr *udp)
{
    struct backbone *b = context;
    if (!reachable)
        return;
    b->at = *udp;
    tell_reached(b);
    uplink_hurry(b->uplink);
}

/* ---- which instance ---- */

static void on_instances(void *context, struct slice list)
{
    struct backbone *b = context;
    if (instances_learn(&b->instances, list))
        instance_cache_changed(b->all->cache);
}

static uint32_t random_bits(void)
{
    uint32_t bits;
    secret_random(&bits, sizeof(bits));
    return bits;
}

/* Two uplinks of ours at one place would throw each other out. */
static void pass_over_others(struct backbone *b)
{
    for (unsigned i = 0; i < b->all->count; i++) {
        const struct backbone *other = &b->all->list[i];
        if (other == b)
            continue;
        instances_pass_over(&b->instances, other->instances.home);
        instances_pass_over(&b->instances, instances_at(&other->instances));
    }
}

/* Directory and uplink go to where it is used now. */
static void follow(struct backbone *b)
{
    visits_leave(b->all->visits, instances_at(&b->instances));
    rendezvous_move(b->rendezvous, b->instances.away);
    uplink_move(b->uplink, b->instances.away);
}

/* Where it was used it is no more. */
static void move_on(struct backbone *b)
{
    pass_over_others(b);
    if (!b->rendezvous || !instances_move_on(&b->instances, random_bits(), clock_monotonic_us()))
        return;
    if (instances_is_away(&b->instances)) {
        log_info("backbone %s: going on at %s, another instance of its cluster", b->instances.home,
                 b->instances.away);
        homing_begin(b->homing);
    } else {
        homing_end(b->homing);
    }
    follow(b);
}

static void on_home_answers(void *context)
{
    struct backbone *b = context;
    log_info("backbone %s: answers again: back to it from %s", b->instances.home, b->instances.away);
    instances_return(&b->instances);
    follow(b);
}

static bool is_home(const struct backbones *all, const char *url)
{
    for (unsigned i = 0; i < all->count; i++)
        if (instances_is_here(&all->list[i].instances, url))
            return true;
    return false;
}

/* No stream leads from one instance to another: who is sought elsewhere is met there. */
static void on_linked(void *context, const struct node_id *id, const char *text)
{
    const struct backbone *b = context;
    char url[INSTANCES_URL_MAX];
    if (instances_take(&b->instances, text, url) && !is_home(b->all, url))
        visits_want(b->all->visits, id, url);
}

/* An uplink that is up proves more than a request that fails. */
static void on_tried(void *context, bool reachable, uint32_t interface)
{
    struct backbone *b = context;
    uplink_heard(b->uplink, interface, reachable, clock_monotonic_us());
    if (!reachable && !b->up)
        move_on(b);
}

/* Where it was given, one that never came up may be a proxy's doing, which is the same everywhere; but who has returned there
 * had one elsewhere. Who is away and is replaced is likely to be in the place of another of ours, which is there by another
 * name. */
static void on_failed(void *context, bool was_up, unsigned code)
{
    struct backbone *b = context;
    bool lost = was_up && code != UPLINK_CLOSE_REPLACED;
    bool returning = b->homing && homing_is_returning(b->homing);
    if (lost || returning || code == UPLINK_CLOSE_FULL || instances_is_away(&b->instances))
        move_on(b);
}

static int open_rendezvous(struct backbone *b)
{
    const struct backbones_config *c = &b->all->config;
    const struct rendezvous_config config = {.loop = c->loop,
                                             .url = b->instances.home,
                                             .proxy = b->proxy->url[0] ? b->proxy->url : NULL,
                                             .helper = c->helper,
                                             .backbone = b->number,
                                             .names = c->names,
                                             .me = c->me,
                                             .ways = c->ways,
                                             .describe = on_describe,
                                             .found = on_found,
                                             .missing = on_missing,
                                             .clock = on_clock,
                                             .state = on_state,
                                             .tried = on_tried,
                                             .instances = on_instances,
                                             .linked = on_linked,
                                             .context = b};
    return rendezvous_new(&config, &b->rendezvous);
}

static int open_homing(struct backbone *b)
{
    const struct backbones_config *c = &b->all->config;
    const struct registration_config at = {.loop = c->loop,
                                           .url = b->instances.home,
                                           .proxy = b->proxy->url[0] ? b->proxy->url : NULL,
                                           .helper = c->helper,
                                           .backbone = b->number,
                                           .names = c->names,
                                           .me = c->me,
                                           .ways = c->ways};
    const struct homing_config config = {HOMING_WAIT_MS, on_home_answers, b};
    return homing_new(&config, &at, &b->homing);
}

/* ---- what uplinks tell ---- */

static unsigned on_addresses(void *context, const struct addr **out)
{
    const struct backbone *b = context;
    return b->rendezvous ? rendezvous_addresses(b->rendezvous, out) : 0;
}

static void on_uplink(void *context, bool up, uint32_t interface)
{
    struct backbone *b = context;
    b->up = up;
    if (up) {
        instances_answered(&b->instances);
        if (b->homing)
            homing_arrived(b->homing);
    }
    const struct backbones_events *e = &b->all->config.events;
    e->uplink(e->context, b->number, up, interface);
}

static void on_paired(void *context, const struct node_id *id, bool on)
{
    const struct backbone *b = context;
    const struct backbones_events *e = &b->all->config.events;
    e->paired(e->context, b->number, id, on);
}

/* Its relay is where its STUN server is, at a port of its own: where we have reached it. */
static void on_relayed(void *context, const struct node_id *id, uint16_t port, uint32_t channel,
                       const uint8_t *token)
{
    const struct backbone *b = context;
    const struct backbones_events *e = &b->all->config.events;
    struct addr relay = b->at;
    relay.port = port;
    if (relay.family)
        e->relayed(e->context, b->number, id, &relay, channel, token);
}

static void on_dropped(void *context, uint64_t batches)
{
    const struct backbones_events *e = &((struct backbone *)context)->all->config.events;
    e->dropped(e->context, batches);
}

static void on_dial(void *context, uint64_t conn, const struct target *to)
{
    uplink_dial(((struct backbone *)context)->uplink, conn, to);
}

static int open_uplink(struct backbone *b, int fd)
{
    const struct backbones_config *c = &b->all->config;
    const struct uplink_config config = {.loop = c->loop,
                                         .url = b->instances.home,
                                         .proxy = b->proxy->url[0] ? b->proxy->url : NULL,
                                         .fd = fd,
                                         .backbone = b->number,
                                         .workers = c->workers,
                                         .me = c->me,
                                         .streams = c->streams,
                                         .ways = c->ways,
                                         .addresses = on_addresses,
                                         .reachable = is_reachable,
                                         .state = on_uplink,
                                         .failed = on_failed,
                                         .paired = on_paired,
                                         .relayed = on_relayed,
                                         .dropped = on_dropped,
                                         .context = b};
    int err = uplink_new(&config, &b->uplink);
    if (!err)
        streams_add_uplink(c->streams, b->number, &(struct streams_uplink){on_dial, b});
    return err;
}

/* ---- life ---- */

int backbones_open(struct backbones *all, const struct backbones_place *place)
{
    struct backbone *b = &all->list[all->count];
    *b = (struct backbone){.all = all, .number = all->count, .proxy = place->proxy};
    instances_init(&b->instances, place->url);
    int err = open_rendezvous(b);
    if (err) {
        close(place->uplink);
        return err;
    }
    all->count++;
    err = open_homing(b);
    if (err) {
        close(place->uplink);
        return err;
    }
    return open_uplink(b, place->uplink);
}
