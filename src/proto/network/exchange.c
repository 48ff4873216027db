/* SPDX-License-Identifier: Apache-2.0 */
/* One list of one peer at a time, so that a place is the most that it can take; and a queue, so that each has its turn.
 * docs/PROTOCOL.md §27. Control thread. */

#include "proto/network/exchange.h"

#include "base/bucket.h"
#include "base/clock.h"
#include "base/slot_set.h"
#include "crypto/cert.h"
#include "crypto/revocations.h"
#include <stdlib.h>

/* What a peer says that it holds. */
struct said {
    struct bucket failures;
    unsigned count;
    struct message_list lists[MESSAGE_LISTS_MAX];
};

struct fetch {
    bool on;
    uint32_t slot;            /* of whom */
    struct message_list want; /* as it was announced */
    uint64_t number;          /* as it comes; 0: nothing came yet */
    uint8_t *bytes;
    uint32_t total, have;
    unsigned tries;
    uint64_t at_us, until_us; /* the next try; the end */
};

struct exchange {
    struct rolls *rolls;
    struct said *said[SLOT_SET_MAX];
    struct slot_set queue; /* who may have something for us, and is not being asked */
    struct fetch fetches[EXCHANGE_FETCHES_MAX];
};

static const struct bucket_rate failure_rate = {EXCHANGE_FORGIVE_US, EXCHANGE_FAILURES};

int exchange_new(struct rolls *rolls, struct exchange **out)
{
    struct exchange *x = calloc(1, sizeof(*x));
    if (!x)
        return ERR_NOMEM;
    x->rolls = rolls;
    *out = x;
    return 0;
}

void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    for (unsigned i = 0; i < SLOT_SET_MAX; i++)
        free(x->said[i]);
    for (unsigned i = 0; i < EXCHANGE_FETCHES_MAX; i++)
        free(x->fetches[i].bytes);
    free(x);
}

/* ---- what peers say ---- */

static struct fetch *fetch_of(struct exchange *x, uint32_t slot)
{
    for (struct fetch *f = x->fetches; f < x->fetches + EXCHANGE_FETCHES_MAX; f++)
        if (f->on && f->slot == slot)
            return f;
    return NULL;
}

static bool is_same(const struct message_list *a, const struct message_list *b)
{
    return a->kind == b->kind && id_compare(&a->signer, &b->signer) == 0;
}

static void note(struct said *s, const struct message_list *l)
{
    unsigned i = 0;
    while (i < s->count && !is_same(&s->lists[i], l))
        i++;
    if (i == MESSAGE_LISTS_MAX)
        return;
    s->lists[i] = *l;
    if (i == s->count)
        s->count++;
}

static void forget_list(struct said *s, const struct message_list *l)
{
    for (unsigned i = 0; i < s->count; i++)
        if (is_same(&s->lists[i], l)) {
            s->lists[i] = s->lists[--s->count];
            return;
        }
}

void exchange_on_lists(struct exchange *x, uint32_t slot, const struct message_list *lists, unsigned count,
                       uint64_t now_us)
{
    if (!x->said[slot])
        x->said[slot] = calloc(1, sizeof(*x->said[slot]));
    struct said *s = x->said[slot];
    if (!s || bucket_wait(&s->failures, &failure_rate, 1, now_us))
        return;
    for (unsigned i = 0; i < count; i++)
        note(s, &lists[i]);
    if (!fetch_of(x, slot))
        slot_set_add(&x->queue, slot);
}

static bool says(const struct said *s, const struct message_list *l)
{
    for (unsigned i = 0; i < s->count; i++)
        if (is_same(&s->lists[i], l))
            return s->lists[i].number >= l->number;
    return false;
}

bool exchange_has_all(const struct exchange *x, uint32_t slot)
{
    struct message_list lists[ROLLS_LISTS_MAX];
    unsigned count = rolls_lists(x->rolls, lists);
    bool all = x->said[slot] != NULL;
    for (unsigned i = 0; all && i < count; i++)
        all = says(x->said[slot], &lists[i]);
    return all;
}

/* ---- fetches ---- */

static void end_fetch(struct exchange *x, struct fetch *f)
{
    uint32_t slot = f->slot;
    free(f->bytes);
    *f = (struct fetch){0};
    if (x->said[slot] && x->said[slot]->count)
        slot_set_add(&x->queue, slot);
}

/* Nothing more is believed of what it said. */
static void fail(struct exchange *x, struct fetch *f, uint64_t now_us)
{
    x->said[f->slot]->count = 0;
    bucket_spend(&x->said[f->slot]->failures, &failure_rate, 1, now_us);
    end_fetch(x, f);
}

void exchange_forget(struct exchange *x, uint32_t slot)
{
    struct fetch *f = fetch_of(x, slot);
    free(x->said[slot]);
    x->said[slot] = NULL;
    if (f)
        end_fetch(x, f);
}

static unsigned fetches_for(const struct exchange *x, const struct message_list *l)
{
    unsigned count = 0;
    for (unsigned i = 0; i < EXCHANGE_FETCHES_MAX; i++)
        count += x->fetches[i].on && is_same(&x->fetches[i].want, l);
    return count;
}

/* Certificates first, as the other lists are judged by them; then who is shut out. */
static unsigned urgency(const struct message_list *l)
{
    return l->kind == LIST_ISSUER ? 3 : l->kind == LIST_REVOCATIONS ? 2 : 1;
}

/* What it has for us, or NULL; waits: that are enough others asked for, too. What is of an unknown issuer has to wait for its
 * certificate, and is looked at again when that has come. */
static const struct message_list *choose(const struct exchange *x, const struct said *s, bool *waits)
{
    const struct message_list *best = NULL;
    *waits = false;
    for (const struct message_list *l = s->lists; l < s->lists + s->count; l++) {
        if (!rolls_wants(x->rolls, l))
            continue;
        if (fetches_for(x, l) >= EXCHANGE_SAME_MAX)
            *waits = true;
        else if (!best || urgency(l) > urgency(best))
            best = l;
    }
    return best;
}

static struct fetch *free_place(struct exchange *x)
{
    for (struct fetch *f = x->fetches; f < x->fetches + EXCHANGE_FETCHES_MAX; f++)
        if (!f->on)
            return f;
    return NULL;
}

/* Who has only what enough others are asked for has another turn. */
static void begin(struct exchange *x, struct fetch *f, uint64_t now_us)
{
    uint32_t slot;
    for (unsigned left = x->queue.count; left > 0 && slot_set_take(&x->queue, &slot); left--) {
        const struct said *s = x->said[slot];
        bool waits = false;
        const struct message_list *l = s ? choose(x, s, &waits) : NULL;
        if (l) {
            *f = (struct fetch){
                .on = true, .slot = slot, .want = *l, .at_us = now_us, .until_us = now_us + EXCHANGE_LIST_US};
            return;
        }
        if (waits)
            slot_set_add(&x->queue, slot);
    }
}

static void begin_all(struct exchange *x, uint64_t now_us)
{
    struct fetch *f;
    while (x->queue.count && (f = free_place(x))) {
        begin(x, f, now_us);
        if (!f->on)
            return;
    }
}

static void ask(struct fetch *f, uint64_t now_us, struct list_part *out)
{
    *out = (struct list_part){
        .kind = f->want.kind, .signer = f->want.signer, .number = f->number, .offset = f->have};
    f->at_us = now_us + (EXCHANGE_WAIT_US << f->tries++);
}

bool exchange_next(struct exchange *x, uint64_t now_us, uint32_t *slot, struct list_part *out)
{
    for (struct fetch *f = x->fetches; f < x->fetches + EXCHANGE_FETCHES_MAX; f++)
        if (f->on && (now_us >= f->until_us || (now_us >= f->at_us && f->tries == EXCHANGE_TRIES)))
            fail(x, f, now_us);
    begin_all(x, now_us);
    for (struct fetch *f = x->fetches; f < x->fetches + EXCHANGE_FETCHES_MAX; f++)
        if (f->on && now_us >= f->at_us) {
            *slot = f->slot;
            ask(f, now_us, out);
            return true;
        }
    return false;
}

uint64_t exchange_deadline(const struct exchange *x)
{
    uint64_t at_us = TIME_NEVER;
    for (unsigned i = 0; i < EXCHANGE_FETCHES_MAX; i++) {
        const struct fetch *f = &x->fetches[i];
        uint64_t next_us = f->at_us < f->until_us ? f->at_us : f->until_us;
        if (f->on && next_us < at_us)
            at_us = next_us;
    }
    return at_us;
}

/* ---- parts ---- */

static size_t longest(unsigned kind)
{
    return kind == LIST_ISSUER   ? CERT_MAX
           : kind == LIST_ROSTER ? ROSTER_LEN_MAX
                                 : REVOCATIONS_LEN(REVOCATIONS_MAX);
}

/* The first part of a list, or of the one that followed it meanwhile. False: it is none that we want. */
static bool start_list(struct fetch *f, const struct list_part *part)
{
    if (part->offset != 0 || part->number < f->want.number || part->number <= f->number ||
        part->total > longest(part->kind))
        return false;
    free(f->bytes);
    f->bytes = malloc(part->total ? part->total : 1);
    f->number = part->number;
    f->total = part->total;
    f->have = 0;
    return f->bytes != NULL;
}

/* False: it does not fit what came before. */
static bool add_part(struct fetch *f, const struct list_part *part)
{
    if (part->number != f->number && !start_list(f, part))
        return false;
    if (part->total != f->total || part->offset != f->have || part->bytes.len == 0 ||
        part->bytes.len > f->total - f->have)
        return false;
    memcpy(f->bytes + f->have, part->bytes.data, part->bytes.len);
    f->have += (uint32_t)part->bytes.len;
    return true;
}

/* What it repeats, as an answer to a question that was repeated. */
static bool is_repeated(const struct fetch *f, const struct list_part *part)
{
    return f->number && part->number == f->number && part->offset < f->have;
}

static enum exchange_event complete(struct exchange *x, struct fetch *f, uint64_t now_us,
                                    enum rolls_verdict *why)
{
    *why = rolls_take(x->rolls, f->want.kind, (struct slice){f->bytes, f->total});
    switch (*why) {
    case ROLLS_NEWER:
        end_fetch(x, f);
        return EXCHANGE_TAKEN;
    case ROLLS_FALSE:
        fail(x, f, now_us);
        return EXCHANGE_REFUSED;
    case ROLLS_STRANGER:
    case ROLLS_FULL:
    case ROLLS_CONTRARY:
    case ROLLS_NO_MEMORY:
        forget_list(x->said[f->slot], &f->want);
        end_fetch(x, f);
        return EXCHANGE_REFUSED;
    case ROLLS_SAME:
    case ROLLS_OLDER:
        break;
    }
    end_fetch(x, f);
    return EXCHANGE_NOTHING;
}

enum exchange_event exchange_on_part(struct exchange *x, uint32_t slot, const struct list_part *part,
                                     uint64_t now_us, struct message_list *list, enum rolls_verdict *why)
{
    struct fetch *f = fetch_of(x, slot);
    *list = (struct message_list){part->kind, part->signer, part->number, 0};
    if (!f || !is_same(&f->want, list))
        return EXCHANGE_UNASKED;
    if (is_repeated(f, part))
        return EXCHANGE_NOTHING;
    if (!rolls_wants(x->rolls, &f->want)) { /* another was quicker */
        end_fetch(x, f);
        return EXCHANGE_NOTHING;
    }
    if (!add_part(f, part)) {
        *why = ROLLS_FALSE;
        fail(x, f, now_us);
        return EXCHANGE_REFUSED;
    }
    f->tries = 0;
    f->at_us = now_us;
    return f->have < f->total ? EXCHANGE_NOTHING : complete(x, f, now_us, why);
}

/* ---- answers ---- */

bool exchange_answer(const struct rolls *rolls, const struct list_part *question, struct list_part *part)
{
    struct slice whole = rolls_bytes(rolls, question->kind, &question->signer);
    uint64_t number = rolls_number(rolls, question->kind, &question->signer);
    size_t offset = question->number == number ? question->offset : 0;
    if (!whole.len || offset >= whole.len)
        return false;
    size_t len = whole.len - offset < MESSAGE_PART_MAX ? whole.len - offset : MESSAGE_PART_MAX;
    *part = (struct list_part){question->kind,      question->signer, number,
                               (uint32_t)whole.len, (uint32_t)offset, {whole.data + offset, len}};
    return true;
}
