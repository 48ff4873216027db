/* SPDX-License-Identifier: Apache-2.0 */
/* Questions, answers, and what is said of our own addresses. What is heard changes nothing of what peers say in HELLO, and
 * makes no neighbour known but one that was asked for, or that asks for us from within a subnet of ours. */

#include "proto/neigh/neigh_talk.h"

#include "base/clock.h"
#include "frame/arp.h"
#include "frame/nd.h"
#include "proto/neigh/neigh_impl.h"
#include <string.h>

#define MAC_LEN  6
#define AGAIN_US (NEIGH_AGAIN_S * USEC_PER_SEC)

static const uint8_t everybody[MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const struct addr nobody4 = {.family = 4}, nobody6 = {.family = 6};
static const struct addr all_nodes = {.family = 6, .ip = {0xff, 0x02, [15] = 1}};

/* ---- frames ---- */

static void send_own(struct neigh *n, uint8_t *frame, size_t len)
{
    const struct neigh_frame f = {.worker = NEIGH_ANY_WORKER, .data = frame, .len = len};
    n->config.send(n->config.context, &f);
}

static void send_arp(struct neigh *n, const struct arp *a, const uint8_t dst[MAC_LEN])
{
    uint8_t frame[ARP_FRAME_LEN];
    arp_encode(a, dst, frame);
    send_own(n, frame, sizeof(frame));
}

static void send_nd(struct neigh *n, struct nd *nd, const uint8_t *dst)
{
    uint8_t frame[ND_FRAME_MAX], group[MAC_LEN];
    (void)neigh_plan_group(n->plan, &nd->destination, group);
    memcpy(nd->link, n->config.mac, sizeof(nd->link));
    send_own(n, frame, nd_encode(nd, n->config.mac, dst ? dst : group, frame));
}

/* ff02::1:ffxx:xxxx (RFC 4291 §2.7.1). */
static struct addr solicited_node(const struct addr *a)
{
    struct addr group = {.family = 6, .ip = {0xff, 0x02, [11] = 1, [12] = 0xff}};
    memcpy(group.ip + 13, a->ip + 13, 3);
    return group;
}

/* From which address of ours a neighbour is asked: one of its subnet, or the first of its family. */
static struct addr asker(const struct neigh *n, const struct addr *target)
{
    const struct addr_prefix *subnet = neigh_plan_subnet(n->plan, target);
    if (subnet)
        return subnet->addr;
    for (unsigned i = 0; i < n->plan->own_count; i++)
        if (n->plan->own[i].addr.family == target->family)
            return n->plan->own[i].addr;
    return target->family == 4 ? nobody4 : nobody6;
}

static void ask_arp(struct neigh *n, const struct addr *sender, const struct addr *target, const uint8_t *dst)
{
    struct arp a = {.operation = ARP_REQUEST, .sender = *sender, .target = *target};
    memcpy(a.sender_mac, n->config.mac, MAC_LEN);
    send_arp(n, &a, dst ? dst : everybody);
}

/* dst NULL: its group. A probe comes from nobody, and tells no MAC (RFC 4861 §4.3). */
static void ask_nd(struct neigh *n, const struct addr *sender, const struct addr *target, const uint8_t *dst)
{
    struct nd nd = {.type = ND_SOLICITATION,
                    .source = *sender,
                    .destination = dst ? *target : solicited_node(target),
                    .target = *target,
                    .has_link = !addr_is_unspecified(sender)};
    send_nd(n, &nd, dst);
}

static void ask(struct neigh *n, const struct addr *sender, const struct addr *target, const uint8_t *dst)
{
    if (target->family == 4)
        ask_arp(n, sender, target, dst);
    else
        ask_nd(n, sender, target, dst);
}

void neigh_ask(struct neigh *n, struct neigh_entry *e, uint64_t now_us)
{
    const struct addr sender = asker(n, &e->addr);
    e->tries++;
    e->asked_us = now_us;
    ask(n, &sender, &e->addr, e->known ? e->mac : NULL);
}

/* ---- our own addresses ---- */

static void announce(struct neigh *n, const struct addr *own)
{
    if (own->family == 4) {
        ask_arp(n, own, own, NULL);
        return;
    }
    struct nd nd = {.type = ND_ADVERTISEMENT,
                    .source = *own,
                    .destination = all_nodes,
                    .target = *own,
                    .override = true,
                    .has_link = true};
    send_nd(n, &nd, NULL);
}

static void begin_telling(struct neigh_own *o)
{
    o->probes = NEIGH_PROBES;
    o->announces = NEIGH_ANNOUNCES;
}

static struct neigh_own *own_of(struct neigh_own *list, unsigned count, const struct addr *a)
{
    for (unsigned i = 0; i < count; i++)
        if (addr_same_host(&list[i].addr, a))
            return &list[i];
    return NULL;
}

void neigh_set_plan(struct neigh *n, const struct neigh_plan *plan)
{
    struct neigh_own before[NEIGH_OWN_MAX];
    unsigned count = n->own_count;
    memcpy(before, n->own, sizeof(before));
    n->plan = plan;
    n->own_count = plan->own_count;
    for (unsigned i = 0; i < n->own_count; i++) {
        const struct neigh_own *same = own_of(before, count, &plan->own[i].addr);
        n->own[i] = same ? *same : (struct neigh_own){.addr = plan->own[i].addr};
        if (!same)
            begin_telling(&n->own[i]);
    }
}

void neigh_meet(struct neigh *n)
{
    n->meets = true;
}

void neigh_speak(struct neigh *n, uint64_t now_us)
{
    bool anew = n->meets && now_us - n->said_us >= AGAIN_US;
    if (anew) {
        n->meets = false;
        n->said_us = now_us;
    }
    for (unsigned i = 0; i < n->own_count; i++) {
        struct neigh_own *o = &n->own[i];
        if (anew)
            begin_telling(o);
        if (o->probes) {
            o->probes--;
            ask(n, o->addr.family == 4 ? &nobody4 : &nobody6, &o->addr, NULL);
        } else if (o->announces) {
            o->announces--;
            announce(n, &o->addr);
        }
    }
}

/* Another has an address of ours. Ours is defended (RFC 5227 §2.4, b). */
static void conflict(struct neigh *n, const struct addr *ours, const uint8_t mac[MAC_LEN], uint64_t now_us)
{
    struct neigh_own *o = own_of(n->own, n->own_count, ours);
    if (!o || (o->told_us && now_us - o->told_us < AGAIN_US))
        return;
    o->told_us = now_us;
    announce(n, ours);
    n->config.conflict(n->config.context, ours, mac);
}

/* ---- what is heard ---- */

/* Who asks for us is about to be answered: then it is known. */
static void hear_asker(struct neigh *n, const struct addr *a, const uint8_t mac[MAC_LEN], uint64_t now_us)
{
    struct neigh_entry *e = neigh_find(n, a);
    if (!e && neigh_plan_subnet(n->plan, a))
        e = neigh_entry_new(n, a);
    if (!e || e->claims == 1)
        return;
    if (e->place == NEIGH_UNPLACED && !neigh_place(n, e, false))
        neigh_forget(n, e);
    else
        neigh_learn(n, e, mac, now_us);
}

/* Who answers, or tells of itself, is known from now on if it was asked for. */
static void hear_answer(struct neigh *n, const struct addr *a, const uint8_t mac[MAC_LEN], uint64_t now_us)
{
    struct neigh_entry *e = neigh_find(n, a);
    if (e && e->place != NEIGH_UNPLACED)
        neigh_learn(n, e, mac, now_us);
}

static void answer_arp(struct neigh *n, const struct arp *question)
{
    struct arp a = {.operation = ARP_REPLY, .sender = question->target, .target = question->sender};
    memcpy(a.sender_mac, n->config.mac, MAC_LEN);
    memcpy(a.target_mac, question->sender_mac, MAC_LEN);
    send_arp(n, &a, question->sender_mac);
}

static void hear_arp(struct neigh *n, const struct arp *a, uint64_t now_us)
{
    bool asks_us = a->operation == ARP_REQUEST && neigh_plan_owns(n->plan, &a->target);
    bool is_probe = addr_is_unspecified(&a->sender);
    if (neigh_plan_owns(n->plan, &a->sender)) {
        conflict(n, &a->sender, a->sender_mac, now_us);
        return;
    }
    if (asks_us)
        answer_arp(n, a);
    if (asks_us && !is_probe)
        hear_asker(n, &a->sender, a->sender_mac, now_us);
    else if (!is_probe)
        hear_answer(n, &a->sender, a->sender_mac, now_us);
}

/* To who asks, or to everybody where an address is only tried (RFC 4861 §7.2.4). */
static void answer_nd(struct neigh *n, const struct nd *question, const uint8_t mac[MAC_LEN])
{
    bool is_probe = addr_is_unspecified(&question->source);
    struct nd nd = {.type = ND_ADVERTISEMENT,
                    .source = question->target,
                    .destination = is_probe ? all_nodes : question->source,
                    .target = question->target,
                    .solicited = !is_probe,
                    .override = true,
                    .has_link = true};
    send_nd(n, &nd, is_probe ? NULL : mac);
}

static void hear_solicitation(struct neigh *n, const struct nd *nd, const uint8_t mac[MAC_LEN],
                              uint64_t now_us)
{
    if (!neigh_plan_owns(n->plan, &nd->target))
        return;
    answer_nd(n, nd, mac);
    if (nd->has_link && !addr_is_unspecified(&nd->source) && !neigh_plan_owns(n->plan, &nd->source))
        hear_asker(n, &nd->source, mac, now_us);
}

/* Without its option an answer confirms what is known; another MAC has to say that it takes the place (RFC 4861 §7.2.5). */
static void hear_advertisement(struct neigh *n, const struct nd *nd, const uint8_t mac[MAC_LEN],
                               uint64_t now_us)
{
    if (neigh_plan_owns(n->plan, &nd->target)) {
        conflict(n, &nd->target, mac, now_us);
        return;
    }
    const struct neigh_entry *e = neigh_find(n, &nd->target);
    bool same = e && e->known && memcmp(e->mac, mac, MAC_LEN) == 0;
    bool may = same || (nd->has_link && e && (!e->known || nd->override));
    if (may)
        hear_answer(n, &nd->target, mac, now_us);
}

void neigh_in(struct neigh *n, const uint8_t *frame, size_t len, uint64_t now_us)
{
    struct arp arp;
    struct nd nd;
    const uint8_t *source = frame + MAC_LEN;
    if (arp_decode(frame, len, &arp))
        hear_arp(n, &arp, now_us);
    else if (!nd_decode(frame, len, &nd))
        return;
    else if (nd.type == ND_SOLICITATION)
        hear_solicitation(n, &nd, source, now_us);
    else
        hear_advertisement(n, &nd, source, now_us);
}
