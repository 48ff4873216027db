/* SPDX-License-Identifier: Apache-2.0 */
/* A beacon costs one look-up, by its hint, and a peer's one HMAC. What a stranger repeats is older than what was heard. */

#include "proto/lan/lan.h"

#include "base/bucket.h"
#include "base/table.h"
#include <stdlib.h>
#include <string.h>

#define QUICK_ROUNDS 3
#define QUICK_US     1000000ull
#define ROUND_US     30000000ull
#define US           1000000ull
#define EPOCHS       3 /* clocks may be a quarter of an hour apart */

static const struct bucket_rate say_rate = {.interval_us = 31250, .burst = 32};
static const struct bucket_rate hear_rate = {.interval_us = 500, .burst = 1000};
static const struct bucket_rate peer_rate = {.interval_us = 5000000, .burst = 2}; /* by IPv4 and IPv6 */

struct lan_place {
    struct lan_peer peer;
    uint8_t key[KDF_LEN];
    uint64_t heard_us; /* the time in its last beacon */
    bool owed;         /* an answer */
    struct bucket finds, answers;
};

struct lan {
    struct node_id me;
    uint16_t control_port;
    struct lan_place *list;
    unsigned count;
    struct table *hints; /* hint → place; NULL: to be made */
    uint64_t epoch;      /* in the midst of those hints */
    uint64_t said_us;    /* the time in our last beacon */
    unsigned rounds;     /* since they began anew, … */
    uint64_t round_us;   /* … and when the next one is due */
    unsigned next;       /* in the round that runs; count: none does */
    unsigned owed;       /* answers */
    struct bucket says, hears;
};

int lan_new(const struct node_id *me, uint16_t control_port, struct lan **out)
{
    struct lan *l = calloc(1, sizeof(*l));
    if (!l)
        return ERR_NOMEM;
    l->me = *me;
    l->control_port = control_port;
    *out = l;
    return 0;
}

void lan_free(struct lan *l)
{
    if (!l)
        return;
    table_free(l->hints);
    free(l->list);
    free(l);
}

void lan_restart(struct lan *l)
{
    l->rounds = 0;
    l->round_us = 0;
}

/* ---- whom ---- */

static bool same_peers(const struct lan *l, const struct lan_peer *list, unsigned count)
{
    for (unsigned i = 0; i < count && count == l->count; i++)
        if (id_compare(&list[i].id, &l->list[i].peer.id) != 0)
            return false;
    return count == l->count;
}

/* As it was, or new: that one counts as connected so far. */
static int place_of(const struct lan *l, const struct lan_peer *peer, struct lan_place *out)
{
    for (unsigned i = 0; i < l->count; i++) {
        if (id_compare(&l->list[i].peer.id, &peer->id) != 0)
            continue;
        *out = l->list[i];
        return 0;
    }
    *out = (struct lan_place){.peer = {.id = peer->id, .connected = true}};
    return beacon_key(&l->me, &peer->id, out->key);
}

static int replace(struct lan *l, const struct lan_peer *list, unsigned count)
{
    struct lan_place *places = calloc(count ? count : 1, sizeof(*places));
    int err = places ? 0 : ERR_NOMEM;
    unsigned owed = 0;
    for (unsigned i = 0; !err && i < count; i++) {
        err = place_of(l, &list[i], &places[i]);
        owed += places[i].owed;
    }
    if (err) {
        free(places);
        return err;
    }
    free(l->list);
    l->list = places;
    l->next = l->count = count;
    l->owed = owed;
    table_free(l->hints);
    l->hints = NULL;
    return 0;
}

static int put_hints(const struct lan *l, struct table *hints, uint64_t epoch)
{
    int err = 0;
    for (unsigned i = 0; !err && i < l->count * EPOCHS; i++) {
        struct lan_place *place = &l->list[i / EPOCHS];
        uint64_t hint;
        err = beacon_hint(place->key, &place->peer.id, epoch - 1 + i % EPOCHS, &hint);
        if (!err)
            err = table_put(hints, hint, place);
    }
    return err;
}

static int make_hints(struct lan *l, uint64_t epoch)
{
    struct table *hints;
    if (l->hints && l->epoch == epoch)
        return 0;
    int err = table_new(&hints);
    if (err)
        return err;
    err = put_hints(l, hints, epoch);
    if (err) {
        table_free(hints);
        return err;
    }
    table_free(l->hints);
    l->hints = hints;
    l->epoch = epoch;
    return 0;
}

int lan_set_peers(struct lan *l, const struct lan_peer *list, unsigned count, uint64_t unix_s)
{
    if (count > LAN_PEERS_MAX)
        count = LAN_PEERS_MAX;
    int err = same_peers(l, list, count) ? 0 : replace(l, list, count);
    if (err)
        return err;
    for (unsigned i = 0; i < count; i++) {
        if (l->list[i].peer.connected && !list[i].connected)
            lan_restart(l);
        l->list[i].peer = list[i];
    }
    return make_hints(l, unix_s / BEACON_EPOCH_S);
}

/* ---- what is said ---- */

static struct lan_place *next_owed(struct lan *l)
{
    for (unsigned i = 0; l->owed && i < l->count; i++) {
        if (!l->list[i].owed)
            continue;
        l->list[i].owed = false;
        l->owed--;
        return &l->list[i];
    }
    return NULL;
}

static struct lan_place *next_of_round(struct lan *l, uint64_t now_us)
{
    if (l->next >= l->count && now_us >= l->round_us) {
        l->next = 0;
        l->round_us = now_us + (++l->rounds < QUICK_ROUNDS ? QUICK_US : ROUND_US);
    }
    while (l->next < l->count) {
        struct lan_place *place = &l->list[l->next++];
        if (!place->peer.connected)
            return place;
    }
    return NULL;
}

const struct lan_place *lan_next(struct lan *l, uint64_t now_us)
{
    if (bucket_wait(&l->says, &say_rate, 1, now_us))
        return NULL;
    struct lan_place *place = next_owed(l);
    if (!place)
        place = next_of_round(l, now_us);
    if (place)
        bucket_spend(&l->says, &say_rate, 1, now_us);
    return place;
}

int lan_say(struct lan *l, const struct lan_place *to, uint64_t unix_s, uint8_t out[BEACON_LEN])
{
    uint64_t unix_us = unix_s * US;
    bool stepped_back = l->said_us > unix_us + BEACON_EPOCH_S * US;
    l->said_us = unix_us > l->said_us || stepped_back ? unix_us : l->said_us + 1;
    struct beacon b = {.kind = to->peer.seeks && !to->peer.connected ? BEACON_SEEK : BEACON_HERE,
                       .control_port = l->control_port,
                       .time_us = l->said_us};
    int err = beacon_hint(to->key, &l->me, unix_s / BEACON_EPOCH_S, &b.hint);
    return err ? err : beacon_encode(&b, to->key, out);
}

/* ---- what is heard ---- */

/* Of its time, as far as clocks agree, and later than the last one, if that was. */
static bool is_fresh(const struct lan_place *place, const struct beacon *b, uint64_t unix_s)
{
    const uint64_t now_us = unix_s * US, window_us = (EPOCHS - 1) * BEACON_EPOCH_S * US;
    bool timely = b->time_us < now_us + window_us && b->time_us + window_us > now_us;
    return timely && (b->time_us > place->heard_us || place->heard_us > now_us + window_us);
}

static void owe(struct lan *l, struct lan_place *place, uint64_t now_us)
{
    if (place->owed || !bucket_take(&place->answers, &peer_rate, 1, now_us))
        return;
    place->owed = true;
    l->owed++;
}

enum lan_heard lan_hear(struct lan *l, const uint8_t *data, size_t len, uint64_t now_us, uint64_t unix_s,
                        struct node_id *id, uint16_t *control_port)
{
    struct beacon b;
    if (!bucket_take(&l->hears, &hear_rate, 1, now_us))
        return LAN_FULL;
    struct lan_place *place = l->hints && !beacon_decode(data, len, &b) ? table_get(l->hints, b.hint) : NULL;
    if (!place || !is_fresh(place, &b, unix_s) || !beacon_verify(data, place->key))
        return LAN_IGNORED;
    place->heard_us = b.time_us;
    if (place->peer.seeks && !place->peer.connected) {
        *id = place->peer.id;
        *control_port = b.control_port;
        return bucket_take(&place->finds, &peer_rate, 1, now_us) ? LAN_FOUND : LAN_HEARD;
    }
    if (b.kind == BEACON_SEEK)
        owe(l, place, now_us);
    return LAN_HEARD;
}
