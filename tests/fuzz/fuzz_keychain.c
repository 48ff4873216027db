/* SPDX-License-Identifier: Apache-2.0 */
/* Two keychains and a bad network between them: two bytes a step, what happens and to whom. Datagrams are lost,
 * repeated, out of order and altered, the clock leaps, and what the ends say may be a lie. However it went: every
 * index and session is given back; and where nobody lied and no key is past its time, both ends still talk. */

#include "base/clock.h"
#include "proto/link/keychain.h"
#include <stdlib.h>
#include <string.h>

#define RATCHET_US (120 * USEC_PER_SEC)
#define QUEUE_MAX  16
#define LIVE_MAX   32
#define SEALED_MAX 2048 /* the largest message, sealed */
#define STEPS_MAX  64   /* of one input: a step of the ratchet costs a millisecond */

struct datagram {
    size_t len;
    uint8_t bytes[SEALED_MAX];
};

struct end {
    struct keychain *keychain;
    uint32_t last_index;
    unsigned reserved, taken, released, added, dropped;
    struct session *live[LIVE_MAX];
    struct datagram queue[QUEUE_MAX]; /* to the other end */
    unsigned queued;
};

static struct end ends[2];
static uint64_t now;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static uint32_t reserve_index(void *context)
{
    struct end *e = context;
    e->reserved++;
    return ++e->last_index;
}

static void release_index(void *context, uint32_t index)
{
    struct end *e = context;
    check(index != 0 && index <= e->last_index);
    for (unsigned i = 0; i < LIVE_MAX; i++)
        check(!e->live[i] || session_rx_index(e->live[i]) != index);
    e->released++;
}

static struct session **find(struct end *e, const struct session *s)
{
    for (unsigned i = 0; i < LIVE_MAX; i++)
        if (e->live[i] == s)
            return &e->live[i];
    abort();
}

static int session_added(void *context, struct session *s)
{
    struct end *e = context;
    *find(e, NULL) = s;
    e->added++;
    e->taken++;
    return 0;
}

static void session_dropped(void *context, struct session *s)
{
    struct end *e = context;
    *find(e, s) = NULL;
    e->dropped++;
    session_free(s);
}

static void cool(void *context, struct session *s)
{
    (void)context;
    session_free(session_cool(s));
}

static void send_changed(void *context)
{
    (void)context;
}

/* Seals m at the end of the queue; what has no room is lost. */
static void send_control(void *context, struct session *s, const struct message *m)
{
    struct end *e = context;
    uint8_t text[SEALED_MAX - WIRE_HEADER_LEN - WIRE_TAG_LEN] = {0};
    struct writer w = writer_init(text + WIRE_INNER_LEN, sizeof(text) - WIRE_INNER_LEN);
    find(e, s);
    message_encode(m, &w);
    check(!w.bad);
    if (e->queued == QUEUE_MAX)
        return;
    const struct slice piece = {text, WIRE_INNER_LEN + writer_len(&w)};
    int n = session_seal(s, WIRE_CONTROL, WIRE_LANE_CONTROL, &piece, 1, e->queue[e->queued].bytes);
    if (n > 0)
        e->queue[e->queued++].len = (size_t)n;
}

static bool receive(struct end *e, const struct datagram *d)
{
    struct datagram copy = *d;
    struct wire_header h;
    struct message m;
    uint8_t *plain;
    size_t len;
    if (wire_header_decode(copy.bytes, copy.len, &h) != 0)
        return false;
    for (unsigned i = 0; i < LIVE_MAX; i++) {
        struct session *s = e->live[i];
        if (!s || session_rx_index(s) != h.receiver)
            continue;
        if (session_open(s, &h, copy.bytes, copy.len, &plain, &len) != DROP_NONE)
            return false;
        keychain_on_received(e->keychain, s, now);
        if (message_decode(plain + WIRE_INNER_LEN, len - WIRE_INNER_LEN, &m) == 0)
            keychain_on_message(e->keychain, s, &m, now);
        return true;
    }
    return false;
}

static void take_out(struct end *from, unsigned at)
{
    from->queued--;
    memmove(&from->queue[at], &from->queue[at + 1], (from->queued - at) * sizeof(from->queue[0]));
}

/* The oldest datagrams first, as they came. */
static void carry_all(void)
{
    for (unsigned turn = 0; turn < 64 && ends[0].queued + ends[1].queued; turn++) {
        struct end *from = &ends[turn % 2];
        if (from->queued == 0)
            continue;
        struct datagram d = from->queue[0];
        take_out(from, 0);
        receive(&ends[1 - turn % 2], &d);
    }
}

/* A message that the keychain never sent, under the newest key. */
static void lie(struct end *e, uint8_t how)
{
    struct session *s = keychain_send_session(e->keychain);
    struct message m = {.type = how & 1   ? MESSAGE_RATCHET_OFFER
                                : how & 2 ? MESSAGE_RATCHET_ANSWER
                                          : MESSAGE_RATCHET_DONE};
    m.ratchet.step = keychain_steps(e->keychain) + (how >> 2 & 3);
    m.ratchet.receiver_index = m.type == MESSAGE_RATCHET_DONE ? 0 : 1u + (how >> 4);
    if (m.type != MESSAGE_RATCHET_DONE)
        memset(m.ratchet.key, how, sizeof(m.ratchet.key));
    if (s)
        send_control(e, s, &m);
}

/* Anything under the present key, as frames do. */
static bool talk(unsigned from)
{
    static const struct message done = {.type = MESSAGE_RATCHET_DONE, .ratchet = {.step = 1}};
    struct session *s = keychain_send_session(ends[from].keychain);
    if (!s)
        return false;
    ends[from].queued = 0;
    send_control(&ends[from], s, &done);
    struct datagram d = ends[from].queue[0];
    bool sent = ends[from].queued == 1;
    ends[from].queued = 0;
    return sent && receive(&ends[1 - from], &d);
}

/* One step of the input; true when it was a lie. */
static bool act(uint8_t what, uint8_t how)
{
    struct end *from = &ends[what >> 7], *to = &ends[1 - (what >> 7)];
    unsigned at = from->queued ? how % from->queued : 0;
    switch (what & 7) {
    case 0: /* time passes: up to 64 s, or a moment */
        now += how & 0x80 ? (how & 0x7f) * 500 * USEC_PER_MSEC : how * USEC_PER_MSEC * 10;
        break;
    case 1:
        keychain_tick(from->keychain, now);
        break;
    case 2:
        if (from->queued) {
            struct datagram d = from->queue[at];
            take_out(from, at);
            receive(to, &d);
        }
        break;
    case 3: /* twice, once now */
        if (from->queued)
            receive(to, &from->queue[at]);
        break;
    case 4:
        if (from->queued)
            take_out(from, at);
        break;
    case 5: {
        if (from->queued) {
            struct datagram d = from->queue[at];
            d.bytes[how * 37u % d.len] ^= (uint8_t)(what >> 3 | 1);
            check(!receive(to, &d));
        }
        break;
    }
    case 6:
        lie(from, how);
        return true;
    case 7:
        carry_all();
        talk(what >> 7);
        break;
    }
    return false;
}

static void start(void)
{
    static const uint8_t root[KDF_LEN] = {1};
    memset(ends, 0, sizeof(ends));
    now = 1000 * USEC_PER_SEC;
    for (unsigned i = 0; i < 2; i++) {
        const struct keychain_ops ops = {reserve_index, release_index, session_added, session_dropped,
                                         cool,          send_changed,  send_control,  &ends[i]};
        const struct keychain_config config = {.suite = AEAD_AES_256_GCM,
                                               .tx_lanes = 1,
                                               .rx_lanes = 1,
                                               .opener = i == 0,
                                               .ratchet_us = RATCHET_US};
        uint32_t index = reserve_index(&ends[i]);
        check(keychain_new(&config, &ops, root, index, 1, now, &ends[i].keychain) == 0);
        keychain_peer_ready(ends[i].keychain, now);
    }
}

/* What is still under way arrives, the unanswered is repeated, and then each end hears the other. */
static void check_talk(void)
{
    for (unsigned i = 0; i < 4; i++) {
        carry_all();
        now += 2 * USEC_PER_SEC;
        for (unsigned e = 0; e < 2; e++)
            keychain_tick(ends[e].keychain, now);
    }
    carry_all();
    if (keychain_send_session(ends[0].keychain) && keychain_send_session(ends[1].keychain))
        check(talk(0) && talk(1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool lied = false;
    start();
    for (size_t i = 0; i + 1 < size && i < STEPS_MAX * 2; i += 2)
        lied |= act(data[i], data[i + 1]);
    if (!lied)
        check_talk();
    for (unsigned i = 0; i < 2; i++) {
        struct end *e = &ends[i];
        keychain_free(e->keychain);
        check(e->added == e->dropped && e->reserved == e->taken + e->released);
    }
    return 0;
}
