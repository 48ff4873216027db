/* SPDX-License-Identifier: Apache-2.0 */
/* Each cause of a peer is judged anew, for the log when it greets and for `status` when somebody asks. Control thread. */

#include "node/report/overlay.h"

#include "base/log.h"
#include "node/device/device.h"
#include "node/report/subnets.h"
#include "node/report/who.h"
#include <stdio.h>

#define TEXT_MAX 512

enum cause { OURS = 1, TWIN = 2, IPV4 = 4, IPV6 = 8 };

struct judgement {
    struct overlay *overlay;
    uint32_t slot;
    const struct hello *theirs;
    char peer[WHO_TEXT_MAX];
    unsigned causes; /* found so far: each is said once */
    bool all;        /* peers are judged: of two, one is enough */
    void (*say)(void *context, enum cause cause, const char *text);
    void *context;
};

static void say(struct judgement *j, enum cause cause, const char *text)
{
    if (!(j->causes & cause))
        j->say(j->context, cause, text);
    j->causes |= cause;
}

static void judge_holder(struct judgement *j, const struct addr *a)
{
    char text[TEXT_MAX], address[ADDR_TEXT_MAX], other[WHO_TEXT_MAX];
    int holder = device_holder(j->overlay->device, j->slot, a);
    addr_format(a, address);
    if (holder == DEVICE_HOLDER_US) {
        snprintf(text, sizeof(text),
                 "peer %s: announces %s, which is this machine's own address: they cannot reach each other "
                 "until one "
                 "of the two takes another -tap-ip",
                 j->peer, address);
        say(j, OURS, text);
    } else if (holder >= 0 && !(j->all && holder > (int)j->slot)) {
        snprintf(text, sizeof(text),
                 "peer %s: announces %s, as peer %s does: only one of them is reached until the other takes "
                 "another "
                 "-tap-ip",
                 j->peer, address, who_is_in(j->overlay->mesh, holder, other));
        j->overlay->told[holder].causes |= TWIN;
        say(j, TWIN, text);
    }
}

static void judge_subnets(struct judgement *j, unsigned family, enum cause cause)
{
    struct addr_prefix ours[MESSAGE_ADDRS_MAX];
    struct subnets_pair pair;
    char text[TEXT_MAX], here[ADDR_TEXT_MAX], there[ADDR_TEXT_MAX];
    unsigned count = device_addresses(j->overlay->device, ours, MESSAGE_ADDRS_MAX);
    enum subnets fit =
        subnets_compare(ours, count, j->theirs->addresses, j->theirs->address_count, family, &pair);
    if (fit == SUBNETS_MEET)
        return;
    snprintf(
        text, sizeof(text), "peer %s: its address is %s, ours %s: %s", j->peer,
        addr_prefix_format(pair.theirs, there), addr_prefix_format(pair.ours, here),
        fit == SUBNETS_MASKS_DIFFER
            ? "with different masks some are not reached; give both the same -tap-netmask"
            : "they are in different subnets, and reach each other by routes alone; give one of them another "
              "-tap-ip");
    say(j, cause, text);
}

static unsigned judge(struct judgement *j)
{
    who_is_in(j->overlay->mesh, (int)j->slot, j->peer);
    for (unsigned i = 0; i < j->theirs->address_count; i++)
        judge_holder(j, &j->theirs->addresses[i].addr);
    judge_subnets(j, 4, IPV4);
    judge_subnets(j, 6, IPV6);
    return j->causes;
}

void overlay_init(struct overlay *o, const struct mesh *mesh, const struct device *device)
{
    o->mesh = mesh;
    o->device = device;
}

/* ---- for the log ---- */

static void log_if_new(void *context, enum cause cause, const char *text)
{
    const unsigned *before = context;
    if (!(*before & cause))
        log_warn("%s", text);
}

void overlay_check(struct overlay *o, uint32_t slot, const struct node_id *id, const struct hello *theirs)
{
    struct overlay_told *told = &o->told[slot];
    unsigned before = id_compare(&told->id, id) == 0 ? told->causes : 0;
    struct judgement j = {
        .overlay = o, .slot = slot, .theirs = theirs, .say = log_if_new, .context = &before};
    *told = (struct overlay_told){*id, judge(&j)};
}

/* ---- for status ---- */

struct listing {
    void (*visit)(void *context, const char *text);
    void *context;
};

static void visit_each(void *context, enum cause cause, const char *text)
{
    const struct listing *l = context;
    (void)cause;
    l->visit(l->context, text);
}

void overlay_warnings(struct overlay *o, void (*visit)(void *context, const char *text), void *context)
{
    struct listing listing = {visit, context};
    unsigned peers = 0;
    for (uint32_t slot = 0; slot < MESH_PEERS_MAX && peers < OVERLAY_WARNINGS_MAX; slot++) {
        const struct node_id *id;
        const struct hello *theirs = o->told[slot].causes ? mesh_hello(o->mesh, slot, &id) : NULL;
        if (!theirs)
            continue;
        struct judgement j = {.overlay = o,
                              .slot = slot,
                              .theirs = theirs,
                              .all = true,
                              .say = visit_each,
                              .context = &listing};
        peers += judge(&j) != 0;
    }
}
