/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing and opening under the keys of one epoch: docs/PROTOCOL.md §4. Workers run session_seal and
 * session_open on their lanes, the control thread on its own; each lane's changing state has cache lines of
 * its own, so lanes never slow each other. */

#include "proto/session/session.h"

#include "base/counter.h"
#include "base/vault.h"
#include "crypto/secret.h"
#include "proto/session/session_impl.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(CACHE_LINE == VAULT_ALIGN, "lanes begin at a cache line of their own");

static const struct session_limits default_limits = {
    .soft_datagrams = SESSION_SOFT_DATAGRAMS,
    .soft_bytes = SESSION_SOFT_BYTES,
    .hard_datagrams = SESSION_HARD_DATAGRAMS,
    .hard_bytes = SESSION_HARD_BYTES,
};

/* Data lanes are numbered from 0, but for a sparse one. */
static void number_lanes(int8_t at[WIRE_LANES], unsigned data_lanes, bool sparse)
{
    memset(at, -1, WIRE_LANES);
    for (unsigned i = 0; i < data_lanes; i++)
        at[sparse && i && i == data_lanes - 1 ? WIRE_LANE_SPARSE : i] = (int8_t)i;
    at[WIRE_LANE_CONTROL] = (int8_t)data_lanes;
}

static int derive_direction(const uint8_t root[KDF_LEN], const char *direction, uint8_t secret[KDF_LEN])
{
    return kdf_expand(root, (const uint8_t *)direction, strlen(direction), secret, KDF_LEN);
}

static int derive_lane(const uint8_t secret[KDF_LEN], uint8_t lane, uint8_t key[AEAD_KEY_LEN],
                       uint8_t iv[AEAD_NONCE_LEN])
{
    const uint8_t info[] = {'l', 'a', 'n', 'e', lane};
    uint8_t keys[AEAD_KEY_LEN + AEAD_NONCE_LEN];

    int err = kdf_expand(secret, info, sizeof(info), keys, sizeof(keys));
    memcpy(key, keys, AEAD_KEY_LEN);
    memcpy(iv, keys + AEAD_KEY_LEN, AEAD_NONCE_LEN);
    secret_wipe(keys, sizeof(keys));
    return err;
}

static int derive_all(struct session *s, const uint8_t root[KDF_LEN], bool initiator)
{
    uint8_t tx_secret[KDF_LEN], rx_secret[KDF_LEN];
    const char *to_responder = "shadowmesh data i>r", *to_initiator = "shadowmesh data r>i";

    int err = derive_direction(root, initiator ? to_responder : to_initiator, tx_secret);
    if (err)
        goto out;
    err = derive_direction(root, initiator ? to_initiator : to_responder, rx_secret);
    for (unsigned lane = 0; !err && lane < WIRE_LANES; lane++) {
        int tx = s->tx_at[lane], rx = s->rx_at[lane];
        if (tx >= 0)
            err = derive_lane(tx_secret, (uint8_t)lane, s->tx[tx].key, s->tx[tx].iv);
        if (!err && rx >= 0)
            err = derive_lane(rx_secret, (uint8_t)lane, s->rx[rx].key, s->rx[rx].iv);
    }
out:
    secret_wipe(tx_secret, sizeof(tx_secret));
    secret_wipe(rx_secret, sizeof(rx_secret));
    return err;
}

static bool lanes_valid(unsigned lanes)
{
    return lanes >= 1 && lanes <= WIRE_DATA_LANES;
}

int session_new(const struct session_config *config, const uint8_t root[KDF_LEN], struct session **out)
{
    *out = NULL;
    if (!lanes_valid(config->tx_lanes) || !lanes_valid(config->rx_lanes))
        return ERR_ARGUMENT;

    struct session *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->tx_lanes = config->tx_lanes;
    s->rx_lanes = config->rx_lanes;
    s->sparse = config->sparse;
    number_lanes(s->tx_at, s->tx_lanes, config->sparse);
    number_lanes(s->rx_at, s->rx_lanes, config->sparse);
    s->rx_index = config->rx_index;
    s->tx_index = config->tx_index;
    s->peer_slot = config->peer_slot;
    s->suite = config->suite;
    s->limits = config->limits ? *config->limits : default_limits;

    int err = ERR_NOMEM;
    s->tx = vault_alloc((s->tx_lanes + 1) * sizeof(*s->tx));
    s->rx = vault_alloc((s->rx_lanes + 1) * sizeof(*s->rx));
    for (unsigned i = 0; s->rx && i <= s->rx_lanes; i++)
        pthread_mutex_init(&s->rx[i].held, NULL);
    if (s->tx && s->rx)
        err = derive_all(s, root, config->initiator);
    if (!err)
        err = session_make_spare(s);
    if (err) {
        session_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    session_free_lanes(s);
    free(s);
}

uint32_t session_tx_index(const struct session *s)
{
    return s->tx_index;
}

uint32_t session_rx_index(const struct session *s)
{
    return s->rx_index;
}

uint32_t session_peer_slot(const struct session *s)
{
    return s->peer_slot;
}

unsigned session_rx_bulk(const struct session *s)
{
    return s->rx_lanes - (s->sparse && s->rx_lanes > 1);
}

unsigned session_last_lane(const struct session *s)
{
    return s->sparse && s->tx_lanes > 1 ? WIRE_LANE_SPARSE : s->tx_lanes - 1;
}

/* Where the lane is in an array of data lanes and the control lane, or -1. */
static int lane_at(unsigned lane, const int8_t at[WIRE_LANES])
{
    return lane < WIRE_LANES ? at[lane] : -1;
}

/* IV xor (0⁴ ‖ counter): a counter is used once per key, so is a nonce. Written as the ciphers read it, eight
 * bytes and four: a load that spans two stores waits for both. The sizes are constants, and a check of them at run
 * time would cost nine instructions a datagram: hence not by the fortified memcpy. */
static void make_nonce(const uint8_t iv[AEAD_NONCE_LEN], uint64_t counter, uint8_t nonce[AEAD_NONCE_LEN])
{
    uint64_t head;
    uint32_t tail;
    __builtin_memcpy(&head, iv, sizeof(head));
    __builtin_memcpy(&tail, iv + sizeof(head), sizeof(tail));
    head ^= htobe64(counter >> 32);
    tail ^= htobe32((uint32_t)counter);
    __builtin_memcpy(nonce, &head, sizeof(head));
    __builtin_memcpy(nonce + sizeof(head), &tail, sizeof(tail));
}

static bool spent(const struct session_limits *limits, uint64_t counter, uint64_t bytes, size_t len)
{
    return counter >= limits->hard_datagrams || bytes + len > limits->hard_bytes;
}

int session_seal(struct session *s, enum wire_type type, unsigned lane, const struct slice *pieces,
                 size_t count, uint8_t *out)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    if (len > WIRE_DATAGRAM_MAX - WIRE_HEADER_LEN - WIRE_TAG_LEN)
        return -DROP_TOO_BIG;

    int at = lane_at(lane, s->tx_at);
    if (at < 0 || !wire_lane_fits((uint8_t)type, (uint8_t)lane))
        return -DROP_LANE;
    struct tx_lane *tx = &s->tx[at];
    struct wire_header h = {.type = (uint8_t)type,
                            .lane = (uint8_t)lane,
                            .receiver = s->tx_index,
                            .counter = counter_get(&tx->next)};
    if (atomic_load_explicit(&s->stopped, memory_order_relaxed) ||
        spent(&s->limits, h.counter, counter_get(&tx->bytes), len))
        return -DROP_KEY_SPENT;

    wire_header_encode(&h, out);
    make_nonce(tx->iv, h.counter, tx->nonce);
    counter_add(&tx->next, 1); /* before the cipher: whatever becomes of this datagram, its nonce is used */
    counter_add(&tx->bytes, len);
    struct aead *aead = atomic_load_explicit(&tx->aead, memory_order_acquire);
    if (aead_seal(aead, tx->nonce, out, WIRE_HEADER_LEN, pieces, count, out + WIRE_HEADER_LEN))
        return -DROP_KEY_SPENT;
    return (int)(WIRE_HEADER_LEN + len + WIRE_TAG_LEN);
}

bool session_hold(struct session *s, unsigned lane)
{
    int at = lane_at(lane, s->rx_at);
    if (at < 0)
        return false;
    pthread_mutex_lock(&s->rx[at].held);
    return true;
}

void session_release(struct session *s, unsigned lane)
{
    pthread_mutex_unlock(&s->rx[lane_at(lane, s->rx_at)].held);
}

static __attribute__((noinline, cold)) enum drop
open_by_spare(struct session *s, struct rx_lane *rx, uint64_t counter, uint8_t *datagram, size_t sealed)
{
    enum drop drop = replay_narrow_check(&rx->narrow, counter);
    if (drop)
        return drop;
    if (spent(&s->limits, counter, counter_get(&rx->bytes), sealed - WIRE_TAG_LEN))
        return DROP_KEY_SPENT;
    make_nonce(rx->iv, counter, rx->nonce);
    if (aead_open(rx->spare, rx->nonce, datagram, WIRE_HEADER_LEN, datagram + WIRE_HEADER_LEN, sealed))
        return DROP_AUTH;
    replay_narrow_accept(&rx->narrow, counter);
    counter_add(&rx->bytes, sealed - WIRE_TAG_LEN);
    return DROP_NONE;
}

enum drop session_open(struct session *s, const struct wire_header *h, uint8_t *datagram, size_t len,
                       uint8_t **plain, size_t *plain_len)
{
    if (len < WIRE_OVERHEAD)
        return DROP_SHORT;
    int at = lane_at(h->lane, s->rx_at);
    if (at < 0 || !wire_lane_fits(h->type, h->lane))
        return DROP_LANE;

    struct rx_lane *rx = &s->rx[at];
    struct rx_opener *o = rx->opener;
    size_t sealed = len - WIRE_HEADER_LEN, text = sealed - WIRE_TAG_LEN;
    *plain = datagram + WIRE_HEADER_LEN;
    *plain_len = text;
    if (!o)
        return open_by_spare(s, rx, h->counter, datagram, sealed);
    enum drop drop = replay_check(&o->replay, h->counter);
    if (drop)
        return drop;
    if (spent(&s->limits, h->counter, counter_get(&rx->bytes), text))
        return DROP_KEY_SPENT;

    make_nonce(rx->iv, h->counter, rx->nonce);
    if (aead_open(o->aead, rx->nonce, datagram, WIRE_HEADER_LEN, datagram + WIRE_HEADER_LEN, sealed))
        return DROP_AUTH;
    replay_accept(&o->replay, h->counter);
    counter_add(&rx->bytes, text);
    return DROP_NONE;
}

void session_stop_sealing(struct session *s)
{
    atomic_store_explicit(&s->stopped, true, memory_order_relaxed);
}

static bool soft(const struct session_limits *limits, uint64_t counters, uint64_t bytes)
{
    return counters >= limits->soft_datagrams || bytes >= limits->soft_bytes;
}

void session_stats(const struct session *s, struct session_stats *out)
{
    *out = (struct session_stats){0};
    for (unsigned i = 0; i <= s->tx_lanes; i++) {
        uint64_t used = counter_get(&s->tx[i].next), bytes = counter_get(&s->tx[i].bytes);
        out->soft_limit |= soft(&s->limits, used, bytes);
        if (i == s->tx_lanes)
            break; /* the control lane is the last */
        out->tx_datagrams += used;
        out->tx_bytes += bytes;
    }
    for (unsigned i = 0; i <= s->rx_lanes; i++) {
        uint64_t highest, received, bytes = counter_get(&s->rx[i].bytes);
        session_seen(&s->rx[i], &highest, &received);
        out->soft_limit |= soft(&s->limits, highest, bytes);
        if (i == s->rx_lanes) {
            out->rx_control = received;
            break;
        }
        out->rx_datagrams += received;
        out->rx_bytes += bytes;
        out->rx_expected += highest;
    }
}
