/* SPDX-License-Identifier: Apache-2.0 */
/* What holds in every simulation, whatever it is about: no counter is used twice under a key, no two sessions have one key, and a
 * frame comes once, to whom it is for. Read where datagrams leave and where frames arrive, never from what a mesh thinks of
 * itself. Besides, it counts what goes to addresses that never answered, and what only opens a NAT. */

#include "sim_impl.h"

#include "base/bytes.h"
#include "proto/session/session_impl.h"
#include "proto/wire/wire.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MORE 64

struct watched_bits {
    uint64_t *words;
    size_t count;
};

/* A key: of a session of the receiver's, and a lane. */
struct watched_key {
    uint32_t receiver;
    uint8_t lane;
    uint64_t next;
};

/* What the mesh has taken under a key: a bit for each counter. */
struct watched_opened {
    uint32_t receiver;
    uint8_t lane;
    struct watched_bits seen;
};

struct watched_place {
    struct addr addr;
    uint64_t sent, in_silence; /* in all; since it is silent for long */
    uint64_t heard_us;         /* 0: never */
};

/* What is to open our NAT for a peer's address: once in a round of punching. */
struct watched_opening {
    struct addr to;
    uint32_t slot;
    uint64_t count;
};

struct sim_watch {
    uint64_t begin_us;
    struct watched_opening *openings;
    size_t opening_count;
    struct watched_key *keys;
    size_t key_count;
    struct watched_place *places;
    size_t place_count;
    struct watched_opened *opened;
    size_t opened_count;
    struct watched_bits frames; /* a bit for each that came, by number */
};

void sim_fail(const struct sim *sim, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%.3f s: ", (double)(sim->now_us - SIM_BEGIN_US) / 1e6);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    abort();
}

/* Not by malloc: that is what test_allocation.c lets fail. */
static void *grow(void *list, size_t count, size_t size)
{
    list = reallocarray(list, count, size);
    assert(list);
    return list;
}

static bool came_before(struct watched_bits *b, uint64_t number)
{
    size_t word = number / 64;
    for (; b->count <= word; b->count += MORE) {
        b->words = grow(b->words, b->count + MORE, sizeof(*b->words));
        memset(b->words + b->count, 0, MORE * sizeof(*b->words));
    }
    bool before = b->words[word] >> (number % 64) & 1;
    b->words[word] |= 1ull << (number % 64);
    return before;
}

static struct sim_watch *watch_of(struct sim_node *n)
{
    if (!n->watch) {
        n->watch = grow(NULL, 1, sizeof(*n->watch));
        *n->watch = (struct sim_watch){.begin_us = n->sim->now_us};
    }
    return n->watch;
}

void sim_unwatch(struct sim_node *n)
{
    if (!n->watch)
        return;
    free(n->watch->openings);
    free(n->watch->keys);
    free(n->watch->places);
    free(n->watch->frames.words);
    for (size_t i = 0; i < n->watch->opened_count; i++)
        free(n->watch->opened[i].seen.words);
    free(n->watch->opened);
    free(n->watch);
    n->watch = NULL;
}

/* ---- keys and counters ---- */

static struct watched_key *key_of(struct sim_watch *w, const struct wire_header *h)
{
    for (size_t i = w->key_count; i-- > 0;)
        if (w->keys[i].receiver == h->receiver && w->keys[i].lane == h->lane)
            return &w->keys[i];
    if (w->key_count % MORE == 0)
        w->keys = grow(w->keys, w->key_count + MORE, sizeof(*w->keys));
    w->keys[w->key_count] = (struct watched_key){.receiver = h->receiver, .lane = h->lane};
    return &w->keys[w->key_count++];
}

/* A lane is sealed by one thread, in order: so the counter grows. */
void sim_on_sealed(struct sim_node *n, const uint8_t *data, size_t len)
{
    struct wire_header h;
    if (n->sim->indices_collide || wire_classify(data, len) == WIRE_CLASS_RELAY)
        return; /* a word to a relay: it is sealed by no session */
    if (wire_header_decode(data, len, &h) != DROP_NONE)
        sim_fail(n->sim, "node %u sends what has no header", n->number);
    struct watched_key *key = key_of(watch_of(n), &h);
    if (h.counter < key->next)
        sim_fail(n->sim, "node %u uses counter %llu again: lane %u, receiver %08x", n->number,
                 (unsigned long long)h.counter, h.lane, h.receiver);
    key->next = h.counter + 1;
}

static struct watched_opened *opened_under(struct sim_watch *w, const struct wire_header *h)
{
    for (size_t i = w->opened_count; i-- > 0;)
        if (w->opened[i].receiver == h->receiver && w->opened[i].lane == h->lane)
            return &w->opened[i];
    if (w->opened_count % MORE == 0)
        w->opened = grow(w->opened, w->opened_count + MORE, sizeof(*w->opened));
    w->opened[w->opened_count] = (struct watched_opened){.receiver = h->receiver, .lane = h->lane};
    return &w->opened[w->opened_count++];
}

void sim_on_taken(struct sim_node *n, const struct wire_header *h)
{
    if (!n->sim->indices_collide && came_before(&opened_under(watch_of(n), h)->seen, h->counter))
        sim_fail(n->sim, "node %u takes a datagram twice: lane %u, counter %llu", n->number, h->lane,
                 (unsigned long long)h->counter);
}

/* Of a lane that somebody seals by. */
struct sim_key {
    uint8_t key[AEAD_KEY_LEN];
    unsigned node, lane;
    uint32_t tx_index, rx_index;
};

static bool is_key_of(const struct sim_key *a, const struct sim_key *b)
{
    return a->node == b->node && a->lane == b->lane && a->tx_index == b->tx_index &&
           a->rx_index == b->rx_index;
}

static void take_key(struct sim *sim, const struct sim_key *key)
{
    for (size_t i = sim->key_count; i-- > 0;) {
        if (memcmp(sim->keys[i].key, key->key, sizeof(key->key)) != 0)
            continue;
        if (!is_key_of(&sim->keys[i], key))
            sim_fail(sim, "node %u seals with a key that node %u has sealed with before", key->node,
                     sim->keys[i].node);
        return;
    }
    if (sim->key_count % MORE == 0)
        sim->keys = grow(sim->keys, sim->key_count + MORE, sizeof(*sim->keys));
    sim->keys[sim->key_count++] = *key;
}

void sim_on_keys(struct sim_node *n, const struct session *s)
{
    for (unsigned i = 0; i <= s->tx_lanes; i++) {
        struct sim_key key = {.node = n->number, .lane = i, .tx_index = s->tx_index, .rx_index = s->rx_index};
        memcpy(key.key, s->tx[i].key, sizeof(key.key));
        take_key(n->sim, &key);
    }
}

void sim_unwatch_keys(struct sim *sim)
{
    free(sim->keys);
}

/* ---- frames ---- */

void sim_stamp(const struct sim_node *from, const struct sim_node *to, uint8_t out[SIM_STAMP_LEN])
{
    struct writer w = writer_init(out, SIM_STAMP_LEN);
    writer_u8(&w, (uint8_t)from->number);
    writer_u8(&w, (uint8_t)to->number);
    writer_u64(&w, from->sim->frames++);
}

static bool is_same(const struct sim_node *a, const struct sim_node *b)
{
    return id_compare(identity_id(a->identity), identity_id(b->identity)) == 0;
}

void sim_on_stamp(struct sim_node *n, const struct sim_node *from, bool straight,
                  const uint8_t in[SIM_STAMP_LEN])
{
    struct reader r = reader_init(in, SIM_STAMP_LEN);
    const struct sim_node *sender = &n->sim->nodes[reader_u8(&r)], *receiver = &n->sim->nodes[reader_u8(&r)];
    uint64_t number = reader_u64(&r);
    if (!from || !is_same(sender, from))
        sim_fail(n->sim, "a frame of node %u came to node %u as another's", sender->number, n->number);
    if (!is_same(receiver, n))
        sim_fail(n->sim, "a frame for node %u came to node %u", receiver->number, n->number);
    if (came_before(&watch_of(n)->frames, number))
        sim_fail(n->sim, "a frame of node %u came twice to node %u", sender->number, n->number);
    n->heard_us[sender->number] = n->sim->now_us;
    if (straight)
        n->straight_us[sender->number] = n->sim->now_us;
}

/* ---- where nobody answers ---- */

static struct watched_place *place_of(struct sim_watch *w, const struct addr *at)
{
    for (size_t i = w->place_count; i-- > 0;)
        if (addr_equal(&w->places[i].addr, at))
            return &w->places[i];
    if (w->place_count % MORE == 0)
        w->places = grow(w->places, w->place_count + MORE, sizeof(*w->places));
    w->places[w->place_count] = (struct watched_place){.addr = *at};
    return &w->places[w->place_count++];
}

void sim_on_sent(struct sim_node *n, const struct addr *to, bool asks)
{
    if (!n->sim->watches_places)
        return;
    struct watched_place *p = place_of(watch_of(n), to);
    p->sent++;
    p->in_silence += asks && p->heard_us && n->sim->now_us - p->heard_us > SIM_SILENT_US;
}

void sim_on_heard(struct sim_node *n, const struct addr *from)
{
    if (!n->sim->watches_places)
        return;
    struct watched_place *p = place_of(watch_of(n), from);
    p->heard_us = n->sim->now_us;
    p->in_silence = 0;
}

uint64_t sim_sent_in_vain(const struct sim_node *n)
{
    uint64_t sent = 0;
    for (size_t i = 0; n->watch && i < n->watch->place_count; i++)
        sent += n->watch->places[i].heard_us ? 0 : n->watch->places[i].sent;
    return sent;
}

uint64_t sim_sent_in_silence(const struct sim_node *n)
{
    uint64_t most = 0;
    for (size_t i = 0; n->watch && i < n->watch->place_count; i++)
        most = n->watch->places[i].in_silence > most ? n->watch->places[i].in_silence : most;
    return most;
}

uint64_t sim_sent_near(const struct sim_node *n, const struct addr *net)
{
    uint64_t sent = 0;
    for (size_t i = 0; n->watch && i < n->watch->place_count; i++) {
        const struct watched_place *p = &n->watch->places[i];
        sent += memcmp(p->addr.ip, net->ip, 3) == 0 ? p->sent : 0;
    }
    return sent;
}

/* ---- what opens ---- */

static struct watched_opening *opening_of(struct sim_watch *w, const struct addr *to, uint32_t slot)
{
    for (size_t i = w->opening_count; i-- > 0;)
        if (w->openings[i].slot == slot && addr_equal(&w->openings[i].to, to))
            return &w->openings[i];
    if (w->opening_count % MORE == 0)
        w->openings = grow(w->openings, w->opening_count + MORE, sizeof(*w->openings));
    w->openings[w->opening_count] = (struct watched_opening){.to = *to, .slot = slot};
    return &w->openings[w->opening_count++];
}

void sim_on_opening(struct sim_node *n, const struct addr *to, const uint8_t *data, size_t len)
{
    struct wire_header h;
    if (!n->sim->watches_places || wire_header_decode(data, len, &h) != DROP_NONE)
        return;
    for (size_t i = 0; i < n->out_count; i++)
        if (session_tx_index(n->out[i].tx) == h.receiver)
            opening_of(watch_of(n), to, n->out[i].slot)->count++;
}

uint64_t sim_opened_most(const struct sim_node *n, uint64_t *since_us)
{
    uint64_t most = 0;
    *since_us = n->watch ? n->watch->begin_us : n->sim->now_us;
    for (size_t i = 0; n->watch && i < n->watch->opening_count; i++)
        most = n->watch->openings[i].count > most ? n->watch->openings[i].count : most;
    return most;
}

void sim_let_indices_collide(struct sim *sim)
{
    sim->indices_collide = true;
}

void sim_watch_places(struct sim *sim)
{
    sim->watches_places = true;
}
