/* SPDX-License-Identifier: Apache-2.0 */
/* proto/neigh: packets of the device and frames of peers, in any order, as an input of (direction, length, bytes). Whatever they
 * are, what is sent is a whole frame from our MAC, an answer goes to who asked, what a peer claims stays at its MAC, and no
 * more is remembered than NEIGH_MAX. */

#include "base/clock.h"
#include "proto/neigh/neigh.h"
#include "proto/neigh/neigh_table.h"
#include "proto/neigh/neigh_view.h"

#include <stdlib.h>
#include <string.h>

#define SPARE 8 /* of an option that is added */

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 7};

struct world {
    struct neigh_table *table;
    struct neigh *neigh;
    struct neigh_plan plan;
    struct neigh_view view;
    uint64_t now;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void on_send(void *context, const struct neigh_frame *f)
{
    (void)context;
    check(f->len > NEIGH_HEADROOM && memcmp(f->data + 6, own_mac, 6) == 0);
    check(memcmp(f->data, own_mac, 6) != 0);
}

static void on_conflict(void *context, const struct addr *ours, const uint8_t mac[6])
{
    const struct world *w = context;
    check(neigh_plan_owns(&w->plan, ours) && memcmp(mac, own_mac, 6) != 0);
}

static void fill(void *context, void *out, size_t len)
{
    (void)context;
    memset(out, 0x5a, len);
}

static const struct addr_prefix claim = {{.family = 4, .ip = {10, 0, 0, 7}}, 24};

static void make(struct world *w)
{
    const struct random_source random = {fill, NULL};
    struct neigh_config config = {.send = on_send, .conflict = on_conflict, .context = w};
    w->now = USEC_PER_SEC;
    w->plan.own[0] = (struct addr_prefix){{.family = 4, .ip = {10, 0, 0, 1}}, 24};
    w->plan.own[1] = (struct addr_prefix){{.family = 6, .ip = {0xfe, 0x80, [15] = 1}}, 64};
    w->plan.own_count = 2;
    memcpy(w->plan.mac, own_mac, 6);
    memcpy(config.mac, own_mac, 6);
    if (neigh_table_new(&random, &w->table))
        abort();
    config.table = w->table;
    if (neigh_new(&config, &w->neigh))
        abort();
    w->view.table = w->table;
    w->view.plan = &w->plan;
}

/* Tables are large, so one world has all inputs: what came before is forgotten, and its time is over. */
static void begin(struct world *w)
{
    static const struct neigh_plan empty;
    if (!w->neigh)
        make(w);
    neigh_set_plan(w->neigh, &empty);
    for (unsigned i = 0; i <= NEIGH_TRIES; i++) {
        w->now += NEIGH_LIFE_S * USEC_PER_SEC;
        (void)neigh_tick(w->neigh, w->now);
    }
    check(neigh_count(w->neigh) == 0);
    neigh_set_plan(w->neigh, &w->plan);
    if (neigh_claim(w->neigh, 3, &claim, 1, peer_mac))
        abort();
}

/* A packet of the device lies behind its headroom, in memory of that size. */
static void out(struct world *w, const uint8_t *data, size_t len)
{
    size_t total = NEIGH_HEADROOM + len, cap = total + SPARE;
    uint8_t *frame = malloc(cap);
    if (!frame)
        return;
    memcpy(frame + NEIGH_HEADROOM, data, len);
    enum neigh_verdict verdict = neigh_view_out(&w->view, frame, &total, cap);
    struct neigh_frame f = {.data = frame, .len = total};
    check(total <= cap);
    if (verdict == NEIGH_PASS)
        on_send(w, &f);
    if (verdict == NEIGH_CONTROL)
        (void)!neigh_out(w->neigh, &f, w->now);
    free(frame);
}

static void in(struct world *w, const uint8_t *data, size_t len)
{
    uint8_t *frame = malloc(len);
    if (!frame)
        return;
    memcpy(frame, data, len);
    bool judged =
        len >= NEIGH_HEADROOM && memcmp(frame + 6, own_mac, 6) != 0 && !(frame[6] & 1); /* by the switch */
    if (judged && neigh_view_in(&w->view, frame, len) == NEIGH_CONTROL)
        neigh_in(w->neigh, frame, len, w->now);
    free(frame);
}

static void run(struct world *w, const uint8_t *data, size_t size)
{
    uint8_t mac[6];
    while (size > 2) {
        uint8_t what = data[0];
        size_t len = data[1] < size - 2 ? data[1] : size - 2;
        if (what % 3 == 0)
            out(w, data + 2, len);
        else if (what % 3 == 1)
            in(w, data + 2, len);
        w->now += what * USEC_PER_SEC / 64;
        (void)neigh_tick(w->neigh, w->now);
        check(neigh_count(w->neigh) <= NEIGH_MAX);
        check(neigh_table_find(w->table, &claim.addr, mac) && memcmp(mac, peer_mac, 6) == 0);
        data += 2 + len;
        size -= 2 + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    begin(&w);
    run(&w, data, size);
    return 0;
}
