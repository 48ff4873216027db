/* SPDX-License-Identifier: Apache-2.0 */
/* A router is asked where an address would be won by it: where ours is private and so is its, or, with IPv6, where ours is
 * global and a router of a home's kind may have a firewall. What the helper says is bounded in how often it counts. */
#include "node/underlay/portmap.h"

#include "base/bucket.h"
#include "base/clock.h"
#include "base/log.h"
#include "node/config/config.h"
#include "node/device/device.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US (5 * USEC_PER_SEC)

/* A router, or a helper that was taken over, that gives other addresses all the time. */
static const struct bucket_rate change_rate = {.interval_us = 30 * USEC_PER_SEC, .burst = 4};

struct mapping {
    struct addr client, gateway; /* family 0: not asked */
    struct helper_message said;  /* the last of it, … */
    bool counts;                 /* … which has come to count */
    struct addr external, control;
    uint64_t until_us;                                 /* TIME_NEVER while a helper renews it */
    char text[HELPER_TEXT_MAX], told[HELPER_TEXT_MAX]; /* told: the log has said it */
};

struct portmap {
    struct portmap_config config;
    int fd; /* -1: it is gone for good */
    uv_poll_t poll;
    bool ready; /* it has said that it serves, … */
    bool knows; /* … and knows the present routers */
    uint64_t look_us;
    struct bucket changes;
    struct log_limit ended, unable;
    struct mapping mappings[PORTMAP_FAMILIES];
    struct helper_packet packet;
};

static const uint8_t families[PORTMAP_FAMILIES] = {4, 6};

/* ---- which router ---- */

static bool is_near(const struct addr *a)
{
    return addr_is_private(a) || addr_is_link_local(a);
}

/* Whoever names an outer address with -ip has seen to the way to it. */
static bool gains(const struct config *c, const struct rtnl_way *way)
{
    bool ours = way->source.family == 4 ? addr_is_private(&way->source)
                                        : addr_is_routable(&way->source) && !addr_is_private(&way->source);
    return ours && is_near(&way->gateway) && c->external.family != way->source.family;
}

/* True when it is another one than before. */
static bool look_at(struct portmap *p, unsigned i)
{
    struct mapping *m = &p->mappings[i];
    struct rtnl_way way;
    bool asked = device_way_out(p->config.device, families[i], &way) && gains(p->config.config, &way);
    if (!asked)
        way = (struct rtnl_way){0};
    if (addr_same_host(&m->client, &way.source) && addr_equal(&m->gateway, &way.gateway))
        return false;
    m->client = way.source;
    m->gateway = way.gateway;
    return true;
}

/* What does not get through is said again a second later. */
static void ask(struct portmap *p)
{
    struct helper_message m = {.kind = HELPER_PORTMAP_ASK};
    for (unsigned i = 0; i < PORTMAP_FAMILIES; i++) {
        if (!p->mappings[i].client.family)
            continue;
        m.addresses[m.address_count++] = p->mappings[i].client;
        m.addresses[m.address_count++] = p->mappings[i].gateway;
    }
    p->knows = p->ready && p->fd >= 0 && helper_channel_send(p->fd, &m) == 0;
}

static bool look(struct portmap *p)
{
    bool changed = false;
    p->look_us = clock_monotonic_us() + LOOK_US;
    for (unsigned i = 0; i < PORTMAP_FAMILIES; i++)
        changed |= look_at(p, i);
    return changed;
}

/* ---- what it says ---- */

/* A private one is our router's own: there is another NAT beyond. */
static bool is_announced(const struct mapping *m)
{
    return m->external.family && addr_is_routable(&m->external) && !addr_is_private(&m->external);
}

static void describe(const struct portmap *p, const struct mapping *m, char *out, size_t size)
{
    char router[ADDR_TEXT_MAX], external[ADDR_TEXT_MAX], tcp[32] = "";
    addr_format(&m->gateway, router);
    if (!m->external.family) {
        snprintf(out, size, "the router %s %.160s", router, m->text);
        return;
    }
    if (m->control.family)
        snprintf(tcp, sizeof(tcp), ", and its TCP port %u", m->control.port);
    snprintf(out, size, "the router %s leads %s to our port %u%s (%.16s)%s", router,
             addr_format(&m->external, external), p->config.config->port, tcp, m->text,
             is_announced(m)
                 ? ""
                 : ": that is no public address, so there is another NAT, and peers are not told");
}

/* One line when something is had or lost, and none for what was told already. */
static void tell(struct portmap *p, struct mapping *m, bool had)
{
    char line[HELPER_TEXT_MAX];
    describe(p, m, line, sizeof(line));
    if (strcmp(line, m->told) == 0)
        return;
    snprintf(m->told, sizeof(m->told), "%s", line);
    if (m->external.family)
        log_info("port mapping: %s", line);
    else if (had)
        log_warn("port mapping lost: %s", line);
    else
        log_info("no port mapping: %s", line);
}

static void drop_mapping(struct mapping *m)
{
    m->external = m->control = (struct addr){0};
    m->until_us = TIME_NEVER;
    m->text[0] = '\0';
    m->counts = true;
}

/* True when there was one. */
static bool lose(struct portmap *p, struct mapping *m, const char *why)
{
    bool had = m->external.family;
    drop_mapping(m);
    snprintf(m->text, sizeof(m->text), "%s", why);
    if (had)
        tell(p, m, had);
    return had;
}

/* A helper that was taken over can say what it likes of the outer address, but not make it something else. */
static void count(struct portmap *p, struct mapping *m)
{
    const struct helper_message *said = &m->said;
    bool had = m->external.family;
    uint8_t family = m->gateway.family;
    uint64_t until_us = m->until_us;
    drop_mapping(m);
    m->until_us = until_us;
    snprintf(m->text, sizeof(m->text), "%s", said->text);
    if (said->address_count > 1 && said->addresses[1].family == family && said->addresses[1].port)
        m->external = said->addresses[1];
    if (said->address_count > 2 && m->external.family && said->addresses[2].port &&
        addr_same_host(&said->addresses[2], &m->external))
        m->control = said->addresses[2];
    tell(p, m, had);
}

static void count_due(struct portmap *p, uint64_t now_us)
{
    bool changed = false;
    for (unsigned i = 0; i < PORTMAP_FAMILIES; i++) {
        struct mapping *m = &p->mappings[i];
        if (m->counts || !bucket_take(&p->changes, &change_rate, 1, now_us))
            continue;
        struct addr external = m->external, control = m->control;
        count(p, m);
        changed |= !addr_equal(&external, &m->external) || !addr_equal(&control, &m->control);
    }
    if (changed)
        p->config.changed(p->config.context);
}

static void on_said(struct portmap *p, const struct helper_message *said)
{
    for (unsigned i = 0; i < PORTMAP_FAMILIES; i++) {
        struct mapping *m = &p->mappings[i];
        if (!said->address_count || !m->gateway.family || !addr_equal(&said->addresses[0], &m->gateway))
            continue; /* it is not, or no more, our router */
        m->said = *said;
        m->said.data = (struct slice){0};
        m->until_us = TIME_NEVER;
        m->counts = false;
    }
    count_due(p, clock_monotonic_us());
}

/* ---- the channel ---- */

static void give_up(struct portmap *p, const char *why)
{
    log_error(HELPERS_PORTMAP ": its process %s: restart the node", why);
    uv_poll_stop(&p->poll);
    close(p->fd);
    p->fd = -1;
    bool lost = false;
    for (unsigned i = 0; i < PORTMAP_FAMILIES; i++)
        lost |= lose(p, &p->mappings[i], "is asked no more");
    if (lost)
        p->config.changed(p->config.context);
}

/* The one after it renews what it asked for, if it comes in time: else what was had runs out. */
static void on_ended(struct portmap *p, const char *how)
{
    uint64_t withheld, now_us = clock_monotonic_us();
    p->ready = false;
    for (unsigned i = 0; i < PORTMAP_FAMILIES; i++) {
        struct mapping *m = &p->mappings[i];
        if (m->said.number && m->until_us == TIME_NEVER)
            m->until_us = now_us + (uint32_t)m->said.number * USEC_PER_SEC;
    }
    if (log_limit_pass(&p->ended, now_us, 60 * USEC_PER_SEC, &withheld))
        log_warn(HELPERS_PORTMAP ": its process ended (%s): another one is started", how);
}

static void on_unable(struct portmap *p, const char *why)
{
    uint64_t withheld;
    if (log_limit_pass(&p->unable, clock_monotonic_us(), 60 * USEC_PER_SEC, &withheld))
        log_warn(HELPERS_PORTMAP ": its process does not start: %s", why);
}

static void on_message(struct portmap *p, const struct helper_message *m)
{
    if (m->kind == HELPER_READY) {
        p->ready = true;
        ask(p);
    } else if (m->kind == HELPER_UNABLE) {
        on_unable(p, m->text);
    } else if (m->kind == HELPER_ENDED) {
        on_ended(p, m->text);
    } else if (m->kind == HELPER_PORTMAP) {
        on_said(p, m);
    } else {
        give_up(p, "sends what is not its to send");
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct portmap *p = poll->data;
    (void)status, (void)events;
    int err = helper_channel_receive(p->fd, &p->packet);
    if (err == ERR_AGAIN)
        return;
    if (err == ERR_CLOSED)
        give_up(p, "ended, and so did the one that would start another");
    else if (err)
        give_up(p, "sends what is no message");
    else
        on_message(p, &p->packet.message);
}

/* ---- what the node does ---- */

int portmap_new(const struct portmap_config *config, int fd, struct portmap **out)
{
    struct portmap *p = calloc(1, sizeof(*p));
    if (!p) {
        close(fd);
        return ERR_NOMEM;
    }
    p->config = *config;
    p->fd = fd;
    for (unsigned i = 0; i < PORTMAP_FAMILIES; i++)
        drop_mapping(&p->mappings[i]);
    look(p);
    uv_poll_init(config->loop, &p->poll, fd);
    p->poll.data = p;
    uv_poll_start(&p->poll, UV_READABLE, on_readable);
    *out = p;
    return 0;
}

/* Of a router that is no more ours nothing is held. */
static void forget_left(struct portmap *p, const struct addr before[PORTMAP_FAMILIES])
{
    for (unsigned i = 0; i < PORTMAP_FAMILIES; i++)
        if (!addr_equal(&p->mappings[i].gateway, &before[i]))
            drop_mapping(&p->mappings[i]);
}

static bool look_and_forget(struct portmap *p)
{
    const struct addr before[PORTMAP_FAMILIES] = {p->mappings[0].gateway, p->mappings[1].gateway};
    bool changed = look(p);
    forget_left(p, before);
    return changed;
}

void portmap_on_change(struct portmap *p)
{
    (void)look_and_forget(p);
    ask(p);
}

static bool forget_expired(struct portmap *p, uint64_t now_us)
{
    bool lost = false;
    for (unsigned i = 0; i < PORTMAP_FAMILIES; i++)
        if (now_us >= p->mappings[i].until_us)
            lost |= lose(p, &p->mappings[i], "has not been asked in time");
    return lost;
}

void portmap_tick(struct portmap *p, uint64_t now_us)
{
    count_due(p, now_us);
    bool lost = forget_expired(p, now_us);
    bool moved = now_us >= p->look_us && look_and_forget(p);
    if (moved || (p->ready && !p->knows))
        ask(p);
    if (moved || lost)
        p->config.changed(p->config.context);
}

unsigned portmap_candidates(const struct portmap *p, struct candidate out[PORTMAP_FAMILIES])
{
    unsigned count = 0;
    for (unsigned i = 0; p && i < PORTMAP_FAMILIES; i++) {
        const struct mapping *m = &p->mappings[i];
        if (is_announced(m))
            out[count++] = (struct candidate){CANDIDATE_MAPPED, m->external, m->control.port};
    }
    return count;
}

struct portmap_view portmap_view(const struct portmap *p, unsigned family)
{
    const struct mapping *m = &p->mappings[family];
    return (struct portmap_view){.gateway = m->gateway,
                                 .external = m->external,
                                 .control = m->control,
                                 .announced = is_announced(m),
                                 .lifetime_s = m->external.family ? (uint32_t)m->said.number : 0,
                                 .text = m->text};
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void portmap_close(struct portmap *p)
{
    if (!p)
        return;
    uv_close((uv_handle_t *)&p->poll, on_closed);
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}
