/* SPDX-License-Identifier: Apache-2.0 */
/* Each has a place of its own, with an uplink that leads nowhere while no visit is made. */
#include "node/backbones/visits.h"

#include "base/bucket.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "node/backbones/instances.h"
#include "node/carrier/streams.h"
#include "node/config/proxy.h"
#include "node/helper/http_url.h"
#include "node/helper/name_client.h"
#include "proto/uplink/uplink_message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LOOK_MS 15000

struct visit {
    struct visits *all;
    unsigned number;
    const struct proxy *proxy;
    struct uplink *uplink;
    char url[INSTANCES_URL_MAX]; /* empty: none is made */
    struct addr addresses[HELPER_ADDRESSES_MAX];
    unsigned address_count;
    struct addr host;   /* where its UDP is; without family: not known */
    unsigned pairs;     /* with whom we exchange datagrams there */
    uint64_t wanted_us; /* when somebody was last sought there */
};

struct visits {
    struct backbones_config config;
    struct bucket knocks;
    uv_timer_t look;
    unsigned count;
    struct visit list[UPLINKS_MAX];
};

/* ---- their begin and end ---- */

static void on_named(void *context, const struct addr *addresses, unsigned count, const char *why)
{
    struct visit *v = context;
    memcpy(v->addresses, addresses, count * sizeof(*addresses));
    v->address_count = count;
    if (count && !v->proxy->url[0])
        v->host = addresses[0];
    if (!count)
        log_debug("backbone %s: its name cannot be resolved: %s", v->url, why);
    uplink_hurry(v->uplink);
}

/* Of the proxy, where one is used: what the URL has is the proxy's to find. */
static void look_up(struct visit *v)
{
    struct http_url at;
    v->address_count = 0;
    v->host = (struct addr){0};
    if (!http_url_parse(v->proxy->url[0] ? v->proxy->url : v->url, &at))
        return;
    if (at.is_address && !v->proxy->url[0])
        (void)!addr_parse(at.host, 0, &v->host);
    else if (!at.is_address)
        (void)!name_client_ask(v->all->config.names, at.host, on_named,
                               v); /* else it ends when it has served nobody */
}

static void end(struct visit *v)
{
    log_debug("backbone %s: we visit it no more", v->url);
    if (v->all->config.names)
        name_client_forget(v->all->config.names, v);
    v->url[0] = '\0';
    v->pairs = 0;
    uplink_move(v->uplink, v->url);
}

static void on_look(uv_timer_t *timer);

static void begin(struct visit *v, const struct node_id *id, const char *url, uint64_t now_us)
{
    char hex[ID_TEXT_MAX];
    log_info("backbone %s: visited, since %s is linked there", url, id_format(id, hex));
    strcpy(v->url, url);
    v->wanted_us = now_us;
    look_up(v);
    uplink_move(v->uplink, v->url);
    if (!uv_is_active((uv_handle_t *)&v->all->look))
        uv_timer_start(&v->all->look, on_look, LOOK_MS, LOOK_MS);
}

static struct visit *find(struct visits *all, const char *url)
{
    for (unsigned i = 0; i < all->count; i++)
        if (strcasecmp(all->list[i].url, url) == 0)
            return &all->list[i];
    return NULL;
}

void visits_want(struct visits *all, const struct node_id *id, const char *url)
{
    static const struct bucket_rate rate = {VISITS_KNOCK_US, VISITS_KNOCKS};
    uint64_t now_us = clock_monotonic_us();
    struct visit *v = find(all, url);
    if (v) {
        v->wanted_us = now_us;
        return;
    }
    v = all->config.names ? find(all, "") : NULL;
    if (v && bucket_take(&all->knocks, &rate, 1, now_us))
        begin(v, id, url, now_us);
}

void visits_leave(struct visits *all, const char *url)
{
    struct visit *v = url[0] ? find(all, url) : NULL;
    if (v)
        end(v);
}

bool visits_look(struct visits *all, uint64_t now_us)
{
    bool made = false;
    for (struct visit *v = all->list; v < all->list + all->count; v++) {
        if (v->url[0] && !v->pairs && now_us - v->wanted_us >= VISITS_IDLE_US)
            end(v);
        made |= v->url[0] != '\0';
    }
    return made;
}

static void on_look(uv_timer_t *timer)
{
    if (!visits_look(timer->data, clock_monotonic_us()))
        uv_timer_stop(timer);
}

/* ---- what their uplinks tell ---- */

static unsigned on_addresses(void *context, const struct addr **out)
{
    const struct visit *v = context;
    *out = v->addresses;
    return v->address_count;
}

static bool on_reachable(void *context)
{
    (void)context;
    return true; /* nobody else tells of it */
}

static void on_state(void *context, bool up, uint32_t interface)
{
    struct visit *v = context;
    const struct backbones_events *e = &v->all->config.events;
    v->pairs = 0;
    e->uplink(e->context, v->number, up, interface);
}

/* One that never came up makes room: it is sought again where it is worth it. */
static void on_failed(void *context, bool was_up, unsigned code)
{
    struct visit *v = context;
    if (v->url[0] && (!was_up || code == UPLINK_CLOSE_REPLACED))
        end(v);
}

static void on_paired(void *context, const struct node_id *id, bool on)
{
    struct visit *v = context;
    const struct backbones_events *e = &v->all->config.events;
    if (on)
        v->pairs++;
    else if (v->pairs)
        v->pairs--;
    e->paired(e->context, v->number, id, on);
}

static void on_relayed(void *context, const struct node_id *id, uint16_t port, uint32_t channel,
                       const uint8_t *token)
{
    const struct visit *v = context;
    const struct backbones_events *e = &v->all->config.events;
    struct addr relay = v->host;
    relay.port = port;
    if (relay.family)
        e->relayed(e->context, v->number, id, &relay, channel, token);
}

static void on_dropped(void *context, uint64_t batches)
{
    const struct backbones_events *e = &((struct visit *)context)->all->config.events;
    e->dropped(e->context, batches);
}

static void on_dial(void *context, uint64_t conn, const struct target *to)
{
    uplink_dial(((struct visit *)context)->uplink, conn, to);
}

/* ---- life ---- */

static int open_one(struct visits *all, const struct backbones_place *place, unsigned number)
{
    struct visit *v = &all->list[all->count];
    *v = (struct visit){.all = all, .number = number, .proxy = place->proxy};
    const struct uplink_config config = {.loop = all->config.loop,
                                         .url = "",
                                         .proxy = place->proxy->url[0] ? place->proxy->url : NULL,
                                         .fd = place->uplink,
                                         .backbone = number,
                                         .workers = all->config.workers,
                                         .me = all->config.me,
                                         .streams = all->config.streams,
                                         .ways = all->config.ways,
                                         .addresses = on_addresses,
                                         .reachable = on_reachable,
                                         .state = on_state,
                                         .failed = on_failed,
                                         .paired = on_paired,
                                         .relayed = on_relayed,
                                         .dropped = on_dropped,
                                         .context = v};
    int err = uplink_new(&config, &v->uplink);
    if (err)
        return err;
    all->count++;
    streams_add_uplink(all->config.streams, number, &(struct streams_uplink){on_dial, v});
    return 0;
}

int visits_new(const struct backbones_config *config, struct visits **out)
{
    struct visits *all = calloc(1, sizeof(*all));
    int err = all ? 0 : ERR_NOMEM;
    if (all) {
        all->config = *config;
        uv_timer_init(config->loop, &all->look);
        all->look.data = all;
    }
    for (unsigned i = config->count; i < config->place_count; i++) {
        if (err)
            close(config->places[i].uplink);
        else
            err = open_one(all, &config->places[i], i);
    }
    if (err)
        visits_close(all);
    else
        *out = all;
    return err;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void visits_leave_names(struct visits *all)
{
    for (unsigned i = 0; all && all->config.names && i < all->count; i++)
        name_client_forget(all->config.names, &all->list[i]);
    if (all)
        all->config.names = NULL;
}

void visits_close(struct visits *all)
{
    if (!all)
        return;
    visits_leave_names(all);
    for (struct visit *v = all->list; v < all->list + all->count; v++)
        uplink_close(v->uplink);
    uv_close((uv_handle_t *)&all->look, on_timer_closed);
}

/* ---- what is asked of them ---- */

const char *visits_url(const struct visits *all, unsigned number)
{
    return all->list[number - all->config.count].url;
}

struct uplink *visits_uplink(const struct visits *all, unsigned number)
{
    return all->list[number - all->config.count].uplink;
}

void visits_network_changed(struct visits *all)
{
    for (unsigned i = 0; i < all->count; i++)
        uplink_network_changed(all->list[i].uplink);
}
