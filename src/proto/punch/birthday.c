/* SPDX-License-Identifier: Apache-2.0 */
/* The transitions of birthday.h. docs/PROTOCOL.md §19. Control thread. */

#include "proto/punch/birthday.h"

#include "base/clock.h"
#include "proto/message/message.h"

#define ASKS         3
#define BEGINS       2            /* it may be lost, and nobody answers it */
#define ANSWER_US    USEC_PER_SEC /* and two round trips */
#define PROMISE_US   (3 * USEC_PER_SEC)
#define SILENT_US    (300 * USEC_PER_SEC) /* who does not answer is asked again */
#define WHERES_MAX   8  /* the question for the peer's address waits 1 s, doubled so often */
#define BEHIND_MAX   16 /* probes that are made up for, after a stall */
#define PORT_LEAST   1024
#define PORTS        (65536 - PORT_LEAST)
#define PORTS_STRIDE (PORTS / BIRTHDAY_PROBES)

static const struct bucket_rate turns_rate = {BIRTHDAY_TURN_US, BIRTHDAY_TURNS};

void birthday_begin(struct birthday *b)
{
    if (b->state == BIRTHDAY_PROMISED || b->state == BIRTHDAY_ASKING)
        b->state = BIRTHDAY_RESTING;
}

static void enter(struct birthday *b, enum birthday_state state, uint64_t at_us)
{
    b->state = state;
    b->at_us = at_us;
}

/* At a host that is not the last one's, or from another network, it may go better. While none is known, it may be another. */
static bool may_spend(const struct birthday *b, const struct addr *other, uint64_t now_us)
{
    bool same = !b->hurried && other && addr_same_host(other, &b->at);
    return !b->spent_us || now_us - b->spent_us >= (same ? BIRTHDAY_AGAIN_US : BIRTHDAY_MOVED_US);
}

static void spend(struct birthday *b, uint64_t now_us)
{
    b->spent_us = now_us;
    b->hurried = false;
}

static enum birthday_step seek(struct birthday *b, uint64_t now_us)
{
    if (b->where_us > now_us)
        return BIRTHDAY_STEP_NONE;
    b->where_us = now_us + (USEC_PER_SEC << b->wheres);
    b->wheres += b->wheres < WHERES_MAX;
    return BIRTHDAY_STEP_WHERE;
}

static enum birthday_step ask(struct birthday *b, const struct birthday_way *w, uint64_t now_us)
{
    if (b->at_us > now_us)
        return BIRTHDAY_STEP_NONE;
    if (b->asks == ASKS) {
        enter(b, BIRTHDAY_RESTING, now_us + SILENT_US);
        return BIRTHDAY_STEP_NONE;
    }
    b->asks++;
    b->at_us = now_us + ANSWER_US + 2ull * w->rtt_us;
    return BIRTHDAY_STEP_ASK;
}

static enum birthday_step rest(struct birthday *b, const struct birthday_way *w, uint64_t now_us)
{
    if (!w->draws || b->at_us > now_us || !may_spend(b, w->other, now_us))
        return BIRTHDAY_STEP_NONE;
    if (!w->other)
        return seek(b, now_us);
    b->wheres = 0;
    b->number = ++b->mine;
    b->asks = 0;
    enter(b, BIRTHDAY_ASKING, now_us);
    return ask(b, w, now_us);
}

static enum birthday_step wait_for_probes(struct birthday *b, uint64_t now_us)
{
    if (!b->opened) {
        b->opened = true;
        return BIRTHDAY_STEP_OPEN;
    }
    if (b->begins) {
        b->begins--;
        return BIRTHDAY_STEP_BEGIN;
    }
    if (b->at_us <= now_us)
        enter(b, BIRTHDAY_RESTING, now_us);
    return BIRTHDAY_STEP_NONE;
}

/* At the agreed rate, whatever was late. */
static enum birthday_step send_next(struct birthday *b, uint64_t now_us)
{
    uint64_t due = (now_us - b->begun_us) / BIRTHDAY_EACH_US + 1;
    if (b->sent == BIRTHDAY_PROBES) {
        enter(b, BIRTHDAY_RESTING, now_us);
        return BIRTHDAY_STEP_NONE;
    }
    if (due > (uint64_t)b->sent + BEHIND_MAX)
        b->begun_us = now_us - b->sent * BIRTHDAY_EACH_US;
    else if (due <= b->sent)
        return BIRTHDAY_STEP_NONE;
    b->sent++;
    return BIRTHDAY_STEP_SEND;
}

static void give_up(struct birthday *b, const struct birthday_way *w)
{
    b->won |= w->straight && (b->state == BIRTHDAY_WAITING || b->state == BIRTHDAY_SENDING);
    enter(b, BIRTHDAY_RESTING, 0);
}

enum birthday_step birthday_step(struct birthday *b, const struct birthday_way *w, uint64_t now_us)
{
    b->won &= w->straight;
    if (w->straight || !w->may) {
        if (birthday_is_busy(b))
            give_up(b, w);
        return BIRTHDAY_STEP_NONE;
    }
    switch (b->state) {
    case BIRTHDAY_RESTING:
        return rest(b, w, now_us);
    case BIRTHDAY_ASKING:
        return ask(b, w, now_us);
    case BIRTHDAY_WAITING:
        return wait_for_probes(b, now_us);
    case BIRTHDAY_PROMISED:
        if (b->at_us <= now_us)
            enter(b, BIRTHDAY_RESTING, now_us);
        return BIRTHDAY_STEP_NONE;
    case BIRTHDAY_SENDING:
        return send_next(b, now_us);
    }
    return BIRTHDAY_STEP_NONE;
}

uint64_t birthday_next(const struct birthday *b)
{
    switch (b->state) {
    case BIRTHDAY_RESTING:
        return TIME_NEVER;
    case BIRTHDAY_ASKING:
    case BIRTHDAY_PROMISED:
    case BIRTHDAY_WAITING:
        return b->at_us;
    case BIRTHDAY_SENDING:
        return b->begun_us + b->sent * BIRTHDAY_EACH_US;
    }
    return TIME_NEVER;
}

static enum birthday_step on_ask(struct birthday *b, uint32_t number, const struct birthday_way *w,
                                 uint64_t now_us)
{
    bool again = b->state == BIRTHDAY_PROMISED && b->number == number;
    if (!w->may || w->straight || !w->drawn || (b->state != BIRTHDAY_RESTING && !again) ||
        bucket_wait(w->turns, &turns_rate, 1, now_us) || !may_spend(b, w->other, now_us))
        return BIRTHDAY_STEP_NONE;
    if (!w->other)
        return BIRTHDAY_STEP_WHERE; /* it is said again, and by then we know */
    b->number = number;
    b->at = *w->other;
    enter(b, BIRTHDAY_PROMISED, now_us + PROMISE_US + 2ull * w->rtt_us);
    return BIRTHDAY_STEP_COME;
}

static void on_come(struct birthday *b, const struct birthday_way *w, uint64_t now_us)
{
    if (b->state != BIRTHDAY_ASKING || !w->other)
        return;
    spend(b, now_us);
    b->at = *w->other;
    b->opened = false;
    b->begins = BEGINS;
    enter(b, BIRTHDAY_WAITING, now_us + BIRTHDAY_OPEN_US);
}

static void on_begin(struct birthday *b, const struct birthday_way *w, uint64_t now_us)
{
    if (b->state != BIRTHDAY_PROMISED || !bucket_take(w->turns, &turns_rate, 1, now_us))
        return;
    spend(b, now_us);
    b->sent = 0;
    b->first = w->random;
    b->begun_us = now_us;
    enter(b, BIRTHDAY_SENDING, now_us);
}

enum birthday_step birthday_on_word(struct birthday *b, uint8_t word, uint32_t number,
                                    const struct birthday_way *w, uint64_t now_us)
{
    if (word == BIRTHDAY_WORD_ASK)
        return on_ask(b, number, w, now_us);
    if (number != b->number)
        return BIRTHDAY_STEP_NONE;
    if (word == BIRTHDAY_WORD_COME)
        on_come(b, w, now_us);
    else if (word == BIRTHDAY_WORD_BEGIN)
        on_begin(b, w, now_us);
    return BIRTHDAY_STEP_NONE;
}

void birthday_met(struct birthday *b)
{
    b->won = true;
    enter(b, BIRTHDAY_RESTING, 0);
}

bool birthday_is_busy(const struct birthday *b)
{
    return b->state != BIRTHDAY_RESTING;
}

void birthday_hurry(struct birthday *b)
{
    b->hurried = true;
    b->where_us = 0;
    if (b->state == BIRTHDAY_RESTING)
        b->at_us = 0;
}

/* All over the range, once each. */
struct addr birthday_target(const struct birthday *b)
{
    struct addr to = b->at;
    if (b->state == BIRTHDAY_SENDING)
        to.port = (uint16_t)(PORT_LEAST + (b->first + (b->sent - 1u) * PORTS_STRIDE) % PORTS);
    return to;
}
