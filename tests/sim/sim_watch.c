/* SPDX-License-Identifier: Apache-2.0 */
/* What holds in every simulation, whatever it is about: no counter is used twice under a key, and a frame comes once, to whom
 * it is for. Read where datagrams leave and where frames arrive, never from what a mesh thinks of itself. Besides, it counts
 * what goes to addresses that never answered. */

#include "sim_impl.h"

#include "base/bytes.h"
#include "proto/wire/wire.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MORE 64

/* A key: of a session of the receiver's, and a lane. */
struct watched_key {
    uint32_t receiver;
    uint8_t lane;
    uint64_t next;
};

struct watched_place {
    struct addr addr;
    uint64_t sent;
    bool heard;
};

struct sim_watch {
    struct watched_key *keys;
    size_t key_count;
    struct watched_place *places;
    size_t place_count;
    uint64_t *frames; /* a bit for each that came, by number */
    size_t frame_words;
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

static struct sim_watch *watch_of(struct sim_node *n)
{
    if (!n->watch) {
        n->watch = grow(NULL, 1, sizeof(*n->watch));
        *n->watch = (struct sim_watch){0};
    }
    return n->watch;
}

void sim_unwatch(struct sim_node *n)
{
    if (!n->watch)
        return;
    free(n->watch->keys);
    free(n->watch->places);
    free(n->watch->frames);
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

static bool came_before(struct sim_watch *w, uint64_t number)
{
    size_t word = number / 64;
    for (; w->frame_words <= word; w->frame_words += MORE) {
        w->frames = grow(w->frames, w->frame_words + MORE, sizeof(*w->frames));
        memset(w->frames + w->frame_words, 0, MORE * sizeof(*w->frames));
    }
    bool before = w->frames[word] >> (number % 64) & 1;
    w->frames[word] |= 1ull << (number % 64);
    return before;
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
    if (came_before(watch_of(n), number))
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

void sim_on_sent(struct sim_node *n, const struct addr *to)
{
    if (n->sim->watches_places)
        place_of(watch_of(n), to)->sent++;
}

void sim_on_heard(struct sim_node *n, const struct addr *from)
{
    if (n->sim->watches_places)
        place_of(watch_of(n), from)->heard = true;
}

uint64_t sim_sent_in_vain(const struct sim_node *n)
{
    uint64_t sent = 0;
    for (size_t i = 0; n->watch && i < n->watch->place_count; i++)
        sent += n->watch->places[i].heard ? 0 : n->watch->places[i].sent;
    return sent;
}

void sim_let_indices_collide(struct sim *sim)
{
    sim->indices_collide = true;
}

void sim_watch_places(struct sim *sim)
{
    sim->watches_places = true;
}
