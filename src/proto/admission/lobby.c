/* SPDX-License-Identifier: Apache-2.0 */
/* Guests, their first bytes, and the budget of handshakes. docs/PROTOCOL.md §6 and §18. Control thread. */

#include "proto/admission/lobby.h"

#include "base/bucket.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "proto/admission/crowd.h"
#include "proto/admission/limits.h"
#include "proto/admission/source.h"
#include "proto/wire/trunk.h"
#include <stdlib.h>
#include <string.h>

#define RECORD_HEADER_LEN 5
#define RECORD_HANDSHAKE  22
#define CLIENT_HELLO      1

static const struct bucket_rate turn_rate = {LOBBY_TURN_US, LOBBY_TURNS_AT_ONCE};

struct lobby {
    struct crowd *crowd;
    struct limits *served; /* its debts tell who was served least */
    struct bucket turns;
    unsigned ready, ready_known; /* guests whose ClientHello is whole, and the known ones of these */
    struct lobby_guest leaving;  /* what lobby_next or lobby_take returned */
    struct lobby_guest guests[LOBBY_PLACES];
    bool whole[LOBBY_PLACES]; /* its ClientHello is here */
};

int lobby_new(const struct random_source *random, struct lobby **out)
{
    struct lobby *l = calloc(1, sizeof(*l));
    int err = l ? crowd_new(LOBBY_PLACES, LOBBY_PER_SOURCE, random, &l->crowd) : ERR_NOMEM;
    if (!err)
        err = limits_new(LOBBY_SOURCES, LOBBY_MEMORY_US, LOBBY_MEMORY_HANDSHAKES, random, &l->served);
    if (err) {
        lobby_free(l);
        return err;
    }
    *out = l;
    return 0;
}

void lobby_free(struct lobby *l)
{
    if (!l)
        return;
    limits_free(l->served);
    crowd_free(l->crowd);
    free(l);
}

static int find(const struct lobby *l, uint64_t conn)
{
    for (int i = 0; conn && i < LOBBY_PLACES; i++)
        if (l->guests[i].conn == conn)
            return i;
    return -1;
}

static uint64_t vacate(struct lobby *l, unsigned place)
{
    uint64_t conn = l->guests[place].conn;
    l->guests[place].conn = 0;
    l->ready -= l->whole[place];
    l->ready_known -= l->whole[place] && l->guests[place].known;
    crowd_leave(l->crowd, place);
    return conn;
}

uint64_t lobby_enter(struct lobby *l, uint64_t conn, const struct target *from, bool known, uint64_t now_us)
{
    const struct addr source = source_of(from);
    unsigned place = crowd_place(l->crowd, &source);
    uint64_t loser = crowd_held(l->crowd, place) ? vacate(l, place) : 0;
    struct lobby_guest *g = &l->guests[place];
    crowd_enter(l->crowd, place, &source, known, now_us);
    g->conn = conn;
    g->from = *from;
    g->known = known;
    g->len = 0;
    l->whole[place] = false;
    return loser;
}

bool lobby_leave(struct lobby *l, uint64_t conn)
{
    int place = find(l, conn);
    if (place < 0)
        return false;
    vacate(l, (unsigned)place);
    return true;
}

/* RFC 8446 §5.1: our own programs send a ClientHello in one record. 1 when it is whole, 0 when more must come. */
static int client_hello(const uint8_t *data, size_t len)
{
    struct reader r = reader_init(data, len);
    if (len && data[0] != RECORD_HANDSHAKE)
        return ERR_FORMAT;
    reader_u8(&r);
    reader_u16(&r);
    size_t body = reader_u16(&r);
    if (len < RECORD_HEADER_LEN)
        return 0;
    if (body == 0 || RECORD_HEADER_LEN + body > LOBBY_HELLO_MAX)
        return ERR_FORMAT;
    if (len > RECORD_HEADER_LEN && data[RECORD_HEADER_LEN] != CLIENT_HELLO)
        return ERR_FORMAT;
    return len >= RECORD_HEADER_LEN + body;
}

static bool is_trunk(const struct lobby_guest *g)
{
    return g->len && g->from.kind == TARGET_TCP && trunk_begins(g->hello[0]);
}

int lobby_feed(struct lobby *l, uint64_t conn, const uint8_t *data, size_t len, uint64_t now_us)
{
    struct trunk_batch first;
    int place = find(l, conn);
    if (place < 0)
        return ERR_NOT_FOUND;
    struct lobby_guest *g = &l->guests[place];
    if (len > sizeof(g->hello) - g->len)
        return ERR_FORMAT;
    memcpy(g->hello + g->len, data, len);
    g->len += len;
    if (is_trunk(g))
        return trunk_decode_first(g->hello, g->len, &first);
    int err = client_hello(g->hello, g->len);
    if (err == 1 && !l->whole[place]) {
        l->whole[place] = true;
        l->ready++;
        l->ready_known += g->known;
        crowd_renew(l->crowd, (unsigned)place, now_us);
    }
    return err < 0 ? err : 0;
}

const struct lobby_guest *lobby_take(struct lobby *l, uint64_t conn)
{
    int place = find(l, conn);
    if (place < 0)
        return NULL;
    l->leaving = l->guests[place];
    vacate(l, (unsigned)place);
    return &l->leaving;
}

/* How long until the budget has a turn for those whose ClientHello is whole. */
static uint64_t turn_wait(const struct lobby *l, uint64_t now_us)
{
    unsigned kept = l->ready_known ? 0 : LOBBY_TURNS_FOR_KNOWN;
    return bucket_wait(&l->turns, &turn_rate, kept + 1, now_us);
}

struct claim {
    bool known;
    uint64_t debts[PREFIX_LEVELS], since_us;
};

static struct claim claim_of(const struct lobby *l, unsigned place, uint64_t now_us)
{
    struct claim c = {.known = l->guests[place].known, .since_us = crowd_since(l->crowd, place)};
    const struct addr source = source_of(&l->guests[place].from);
    limits_debts(l->served, &source, now_us, c.debts);
    return c;
}

/* Known ones first; then, from the wide neighbourhood to the narrow one, who owes less; then who came first. */
static bool goes_before(const struct claim *a, const struct claim *b)
{
    if (a->known != b->known)
        return a->known;
    for (unsigned i = PREFIX_LEVELS; i-- > 0;)
        if (a->debts[i] != b->debts[i])
            return a->debts[i] < b->debts[i];
    return a->since_us < b->since_us;
}

/* Of at least one whose ClientHello is whole. */
static unsigned first_in_line(const struct lobby *l, uint64_t now_us)
{
    struct claim best = {0};
    unsigned first = LOBBY_PLACES;
    for (unsigned i = 0; i < LOBBY_PLACES; i++) {
        if (!l->guests[i].conn || !l->whole[i])
            continue;
        const struct claim c = claim_of(l, i, now_us);
        if (first < LOBBY_PLACES && !goes_before(&c, &best))
            continue;
        best = c;
        first = i;
    }
    return first;
}

const struct lobby_guest *lobby_next(struct lobby *l, uint64_t now_us)
{
    if (!l->ready || turn_wait(l, now_us))
        return NULL;
    unsigned first = first_in_line(l, now_us);
    bucket_spend(&l->turns, &turn_rate, 1, now_us);
    l->leaving = l->guests[first];
    const struct addr source = source_of(&l->leaving.from);
    /* over its limit it owes as much as can be owed: nothing more to write down */
    (void)!limits_take(l->served, &source, 1, now_us);
    vacate(l, first);
    return &l->leaving;
}

uint64_t lobby_expired(struct lobby *l, uint64_t now_us)
{
    int oldest = crowd_oldest(l->crowd);
    if (oldest < 0 || crowd_since(l->crowd, (unsigned)oldest) + LOBBY_PATIENCE_US > now_us)
        return 0;
    return vacate(l, (unsigned)oldest);
}

unsigned lobby_uplink_guests(const struct lobby *l, unsigned backbone, unsigned *strangers)
{
    unsigned count = 0;
    for (const struct lobby_guest *g = l->guests; g < l->guests + LOBBY_PLACES; g++) {
        if (!g->conn || g->from.kind != TARGET_UPLINK || g->from.backbone != backbone)
            continue;
        count++;
        *strangers += !g->known;
    }
    return count;
}

uint64_t lobby_next_deadline(const struct lobby *l, uint64_t now_us)
{
    int oldest = crowd_oldest(l->crowd);
    if (oldest < 0)
        return TIME_NEVER;
    uint64_t expiry_us = crowd_since(l->crowd, (unsigned)oldest) + LOBBY_PATIENCE_US;
    uint64_t turn_us = l->ready ? now_us + turn_wait(l, now_us) : TIME_NEVER;
    return turn_us < expiry_us ? turn_us : expiry_us;
}
