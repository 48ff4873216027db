/* SPDX-License-Identifier: Apache-2.0 */
/* The states of our end of a channel. Pure; control thread. docs/PROTOCOL.md §17. */

#include "proto/relay/relay_end.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include <string.h>

static bool asks(const struct relay_end *e)
{
    return e->state == RELAY_END_WANTED || e->state == RELAY_END_ASKED;
}

void relay_end_want(struct relay_end *e, uint64_t delay_us, uint64_t now_us)
{
    if (e->state == RELAY_END_NONE)
        *e = (struct relay_end){.state = RELAY_END_WANTED};
    e->wait_us = RELAY_END_ASK_US;
    if (asks(e))
        e->at_us = now_us + delay_us;
    else
        relay_end_hurry(e, now_us);
}

bool relay_end_granted(struct relay_end *e, const struct addr *relay, uint32_t channel,
                       const uint8_t token[ENVELOPE_TOKEN_LEN], uint64_t now_us)
{
    if (e->granted_us && now_us - e->granted_us < RELAY_END_GRANT_GAP_US)
        return false;
    *e = (struct relay_end){.state = RELAY_END_BINDING,
                            .relay = *relay,
                            .channel = channel,
                            .at_us = now_us,
                            .wait_us = e->wait_us ? e->wait_us : RELAY_END_ASK_US,
                            .granted_us = now_us};
    memcpy(e->token, token, sizeof(e->token));
    return true;
}

static enum relay_end_step ask(struct relay_end *e, uint64_t now_us)
{
    e->state = RELAY_END_ASKED;
    e->at_us = now_us + e->wait_us;
    e->wait_us = 2 * e->wait_us < RELAY_END_ASK_MAX_US ? 2 * e->wait_us : RELAY_END_ASK_MAX_US;
    return RELAY_END_ASK;
}

static enum relay_end_step lose(struct relay_end *e, uint64_t now_us)
{
    const struct relay_end fresh = {.state = RELAY_END_WANTED,
                                    .at_us = now_us + (e->state == RELAY_END_BOUND ? 0 : e->wait_us),
                                    .wait_us = e->wait_us,
                                    .granted_us = e->granted_us};
    relay_end_drop(e);
    *e = fresh;
    return RELAY_END_LOST;
}

/* Not while an answer is waited for that matters more. */
static bool tests(const struct relay_end *e)
{
    return e->state == RELAY_END_BOUND && e->bound_by && e->tries == 0;
}

static enum relay_end_step test(struct relay_end *e, uint64_t now_us)
{
    if (!tests(e) || e->test_us > now_us)
        return RELAY_END_WAIT;
    if (e->testing)
        e->well_us = 0;
    e->testing = true;
    e->test_us = now_us + RELAY_END_TEST_US;
    return RELAY_END_SAY;
}

enum relay_end_step relay_end_poll(struct relay_end *e, bool may_ask, uint64_t now_us)
{
    if (e->at_us > now_us)
        return test(e, now_us);
    switch (e->state) {
    case RELAY_END_NONE:
        break;
    case RELAY_END_WANTED:
    case RELAY_END_ASKED:
        return may_ask ? ask(e, now_us) : RELAY_END_WAIT;
    case RELAY_END_BINDING:
    case RELAY_END_BOUND:
        if (e->tries >= RELAY_END_TRIES)
            return lose(e, now_us);
        e->at_us = now_us + (RELAY_END_RETRY_US << e->tries++);
        e->said_us = now_us;
        e->testing = false;
        return RELAY_END_SAY;
    }
    return RELAY_END_WAIT;
}

uint64_t relay_end_next(const struct relay_end *e, bool may_ask)
{
    if (e->state == RELAY_END_NONE || (asks(e) && !may_ask))
        return TIME_NEVER;
    return tests(e) && e->test_us < e->at_us ? e->test_us : e->at_us;
}

bool relay_end_would_ask(const struct relay_end *e, uint64_t now_us)
{
    return asks(e) && e->at_us <= now_us;
}

void relay_end_put_off(struct relay_end *e, uint64_t at_us)
{
    e->at_us = at_us;
}

/* A way that was answered is taken again, and that by which we are bound is tried first. */
static uint32_t way_of_next(const struct relay_end *e, const struct ways *ways)
{
    unsigned family = e->relay.family;
    if (!e->heard && e->tries > 1)
        return ways_next(ways, family, e->interface);
    uint32_t same = e->heard ? e->interface : e->bound_by;
    return ways_role(ways, same, family) == WAY_STANDBY ? same : 0;
}

/* Silence is soon long enough where another way may be tried. */
static uint64_t patience_us(const struct relay_end *e)
{
    uint64_t us = 2 * e->rtt_us > RELAY_END_TURN_US ? 2 * e->rtt_us : RELAY_END_TURN_US;
    return e->rtt_us && us < RELAY_END_RETRY_US ? us : RELAY_END_RETRY_US;
}

int relay_end_message(struct relay_end *e, const struct ways *ways, uint8_t out[RELAY_MESSAGE_LEN])
{
    struct relay_message m = {.kind = RELAY_MESSAGE_BIND, .channel = e->channel, .number = ++e->number};
    e->interface = e->testing ? 0 : way_of_next(e, ways);
    e->heard = false;
    if (!e->testing) {
        memcpy(m.cookie, e->cookie, sizeof(m.cookie));
        if (e->tries == 1 && ways_next(ways, e->relay.family, 0))
            e->at_us = e->said_us + patience_us(e);
    }
    return relay_message_encode(&m, e->token, out);
}

int relay_end_ask_where(struct relay_end *e, uint8_t out[RELAY_MESSAGE_LEN])
{
    if (e->state != RELAY_END_BOUND || e->bound_by || e->tries)
        return ERR_AGAIN;
    const struct relay_message m = {
        .kind = RELAY_MESSAGE_WHERE, .channel = e->channel, .number = ++e->number};
    return relay_message_encode(&m, e->token, out);
}

const struct addr *relay_end_other(const struct relay_end *e, uint64_t now_us)
{
    bool said = e->state == RELAY_END_BOUND && e->other.family && now_us - e->other_us < RELAY_END_WHERE_US;
    return said ? &e->other : NULL;
}

static void take_place(struct relay_end *e, const struct relay_message *m, uint64_t now_us)
{
    struct addr at;
    if (relay_message_place(m, &at))
        return;
    e->other = at;
    e->other_us = now_us;
}

static bool on_bound(struct relay_end *e, uint64_t now_us)
{
    bool news = e->state != RELAY_END_BOUND || e->bound_by != e->interface;
    e->state = RELAY_END_BOUND;
    e->bound_by = e->interface;
    e->test_us = now_us + RELAY_END_TEST_US;
    e->well_us = 0;
    e->tries = 0;
    e->excused = e->heard = false;
    e->rtt_us = now_us - e->said_us;
    e->at_us = now_us + RELAY_END_RENEW_US;
    e->wait_us = RELAY_END_ASK_US;
    return news;
}

/* Once: a relay that knows nothing else to say is none. */
static void take_cookie(struct relay_end *e, const struct relay_message *m, uint64_t now_us)
{
    memcpy(e->cookie, m->cookie, sizeof(e->cookie));
    e->at_us = now_us;
    e->heard = true;
    if (e->tries < RELAY_END_TRIES || e->excused)
        return;
    e->tries--;
    e->excused = true;
}

/* A question without a cookie has bound nothing. The cookie that answers it does, once it has done so for long enough. It
 * answers once: a copy of it is the answer to nothing. */
static void on_tested(struct relay_end *e, const struct relay_message *m, uint64_t now_us)
{
    e->testing = false;
    e->number++;
    if (!e->well_us)
        e->well_us = now_us;
    if (now_us - e->well_us >= RELAY_END_RETURN_US)
        take_cookie(e, m, now_us);
}

bool relay_end_on_answer(struct relay_end *e, const struct addr *from, const uint8_t *data, size_t len,
                         uint64_t now_us)
{
    struct relay_message m;
    if (e->state < RELAY_END_BINDING || !addr_equal(from, &e->relay) || relay_message_decode(data, len, &m) ||
        m.channel != e->channel || m.number != e->number || relay_message_verify(data, e->token))
        return false;
    if (m.kind == RELAY_MESSAGE_COOKIE && e->testing) {
        on_tested(e, &m, now_us);
        return false;
    }
    if (m.kind == RELAY_MESSAGE_BOUND && !e->testing)
        return on_bound(e, now_us);
    if (m.kind == RELAY_MESSAGE_COOKIE)
        take_cookie(e, &m, now_us);
    if (m.kind == RELAY_MESSAGE_HERE)
        take_place(e, &m, now_us);
    return false;
}

void relay_end_hurry(struct relay_end *e, uint64_t now_us)
{
    if (e->state == RELAY_END_BOUND && e->tries == 0 && now_us - e->said_us >= RELAY_END_HURRY_GAP_US)
        e->at_us = now_us;
}

void relay_end_drop(struct relay_end *e)
{
    secret_wipe(e, sizeof(*e));
}
