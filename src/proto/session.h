/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The keys and counters of one epoch between two nodes: made from one root at a handshake or a ratchet step,
 * used until the next. docs/PROTOCOL.md §4. Lane i is sealed by worker i alone and opened by one worker at a
 * time; the control lane belongs to the control thread. Everything else is constant after session_new.
 * Counters are read by the control thread (relaxed atomics, one writer each). */

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "proto/wire.h"
#include <stdbool.h>
#include <stdint.h>

/* Per key, i.e. per lane and direction. */
#define SESSION_SOFT_DATAGRAMS (1ull << 26)
#define SESSION_SOFT_BYTES     (64ull << 30)
#define SESSION_HARD_DATAGRAMS (1ull << 28)
#define SESSION_HARD_BYTES     (256ull << 30)

struct session;

struct session_config {
    enum aead_suite suite;
    uint8_t tx_lanes, rx_lanes; /* data lanes, 1..WIRE_DATA_LANES: ours, the peer's */
    uint32_t rx_index;          /* receiver index that datagrams to us carry */
    uint32_t tx_index;          /* receiver index that datagrams to the peer carry */
    bool initiator;             /* which of the two directions is ours; both ends differ */
    uint32_t peer_slot;         /* the owner's number for the peer, handed back by session_peer_slot */
};

/* Derives every lane's key and IV: HKDF-Expand(root, "shadowmesh " ‖ direction ‖ lane, 32 + 12). The caller
 * frees *out. */
int session_new(const struct session_config *config, const uint8_t root[KDF_LEN],
                struct session **out) must_check;

/* NULL is allowed. Wipes the keys. No worker may still hold it. */
void session_free(struct session *s);

uint32_t session_rx_index(const struct session *s);
uint32_t session_peer_slot(const struct session *s);
enum aead_suite session_suite(const struct session *s);

/* Seals the pieces (inner header first) as one datagram of this type and lane: writes WIRE_HEADER_LEN + their
 * sum + WIRE_TAG_LEN bytes to out. The control lane takes WIRE_CONTROL and WIRE_PROBE, the others WIRE_DATA.
 * Returns the length, or a negative enum drop: -DROP_KEY_SPENT. */
int session_seal(struct session *s, enum wire_type type, unsigned lane, const struct slice *pieces,
                 size_t count, uint8_t *out) must_check;

/* Opens a datagram in place; h is its decoded header. On DROP_NONE *plain is its inner header and payload,
 * inside datagram. */
enum drop session_open(struct session *s, const struct wire_header *h, uint8_t *datagram, size_t len,
                       uint8_t **plain, size_t *plain_len) must_check;

/* Refuses to seal from now on (180 s without ratchet): any thread. */
void session_stop_sealing(struct session *s);

struct session_stats {
    uint64_t tx_datagrams, tx_bytes; /* sealed, all lanes; bytes of plaintext */
    uint64_t rx_datagrams, rx_bytes; /* opened, all lanes */
    uint64_t
        rx_expected; /* what the counters say was sent to us, all lanes; minus rx_datagrams: lost so far */
    bool soft_limit; /* one key is past its soft limit */
};
void session_stats(const struct session *s, struct session_stats *out);
