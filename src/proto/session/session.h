/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The keys and counters of one epoch between two nodes: made from one root at a handshake or a ratchet step,
 * used until the next. docs/PROTOCOL.md §4. Each of our lanes is sealed by one worker alone. The peer's lanes are
 * opened by whoever holds them (session_hold): the kernel steers a lane's datagrams to one worker's socket,
 * but its GRO may hand a few of another lane along with them. The control thread seals the control lane, and the
 * worker that receives a datagram of it opens it; and it gives and takes what lanes are made of. Everything else is constant
 * after session_new. Counters have one writer at a time and
 * are read by the control thread (relaxed atomics). */

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "proto/wire/wire.h"
#include <stdbool.h>
#include <stdint.h>

/* Per key, i.e. per lane and direction. Past its soft limit a key wants to be replaced, past its hard limit
 * it neither seals nor opens. */
#define SESSION_SOFT_DATAGRAMS (1ull << 26)
#define SESSION_SOFT_BYTES     (64ull << 30)
#define SESSION_HARD_DATAGRAMS (1ull << 28)
#define SESSION_HARD_BYTES     (256ull << 30)

struct session;

struct session_limits {
    uint64_t soft_datagrams, soft_bytes, hard_datagrams, hard_bytes;
};

struct session_config {
    enum aead_suite suite;
    uint8_t tx_lanes, rx_lanes; /* data lanes, 1..WIRE_DATA_LANES: ours, the peer's */
    bool sparse;                /* of two and more of a side, the last is WIRE_LANE_SPARSE */
    uint32_t rx_index;          /* receiver index that datagrams to us carry */
    uint32_t tx_index;          /* receiver index that datagrams to the peer carry */
    bool initiator;             /* which of the two directions is ours; both ends differ */
    uint32_t peer_slot;         /* the owner's number for the peer, handed back by session_peer_slot */
    const struct session_limits *limits; /* copied; NULL for those above */
};

/* Derives the key and IV of every lane that config names and of the control lane: per direction a secret
 * HKDF-Expand(root, "shadowmesh data i>r" or "shadowmesh data r>i", 48), per lane the key and IV
 * HKDF-Expand(secret, "lane" ‖ lane byte, 32 + 12). ERR_ARGUMENT, ERR_NOMEM or ERR_CRYPTO. The caller frees
 * *out and wipes root. */
int session_new(const struct session_config *config, const uint8_t root[KDF_LEN],
                struct session **out) must_check;

/* NULL is allowed. Wipes the keys. No worker may still hold it. */
void session_free(struct session *s);

uint32_t session_rx_index(const struct session *s);
uint32_t session_tx_index(const struct session *s);
uint32_t session_peer_slot(const struct session *s);
unsigned session_rx_bulk(const struct session *s);   /* data lanes of the peer that are not the sparse one */
unsigned session_last_lane(const struct session *s); /* the number of our last data lane */

/* Seals the pieces (inner header first, WIRE_INNER_LEN bytes or more in all) as one datagram of this type and
 * lane: writes WIRE_HEADER_LEN + their sum + WIRE_TAG_LEN bytes to out. The control lane takes WIRE_CONTROL
 * and WIRE_PROBE, the others WIRE_DATA. Returns the length, or a negative enum drop: -DROP_KEY_SPENT (hard
 * limit, session_stop_sealing, or a cipher that failed), -DROP_LANE (no such lane of ours, or one that does
 * not take the type), -DROP_TOO_BIG (over WIRE_DATAGRAM_MAX). */
int session_seal(struct session *s, enum wire_type type, unsigned lane, const struct slice *pieces,
                 size_t count, uint8_t *out) must_check;

/* Makes one of the peer's lanes the caller's until session_release: waits for another worker that has it,
 * which is rare and short, and costs some 20 ns otherwise, so hold it for a run of datagrams. A thread holds
 * one lane at a time. False when the session has no such lane. */
bool session_hold(struct session *s, unsigned lane) must_check;
void session_release(struct session *s, unsigned lane);

/* Opens a datagram in place; h is its decoded header. The caller holds the lane, unless no other thread opens
 * datagrams of it. On DROP_NONE *plain is its inner header and payload, inside datagram. Else DROP_SHORT,
 * DROP_LANE, DROP_KEY_SPENT, DROP_REPLAY or DROP_OLD (datagram untouched), or DROP_AUTH (datagram overwritten).
 * Only an authentic datagram changes the session. */
enum drop session_open(struct session *s, const struct wire_header *h, uint8_t *datagram, size_t len,
                       uint8_t **plain, size_t *plain_len) must_check;

/* Data lanes take memory only while they are used. One that is not yet, or no longer, is served by a spare of the session:
 * that costs a change of keys, and some microseconds of a lock. Its replay window is over 64 counters. */

/* Whether the spare has served a lane of which control does not know yet. Any thread; who gets true tells control, or calls
 * session_ask_again. */
bool session_asks(struct session *s) must_check;
void session_ask_again(struct session *s);

/* Lanes that the spare has served get ciphers and windows of their own. Where there is no memory, the spare goes on. Control
 * thread, as all of these. */
void session_warm(struct session *s);

/* So do those that before has, and that were used since its lanes were last looked at. */
void session_warm_as(struct session *s, const struct session *before);

/* Whether any data lane has. */
bool session_is_warm(const struct session *s);

/* Takes from lanes that were not used since the last call what they have. What workers may still seal with is returned: for
 * session_free once none does; or NULL. */
struct session *session_cool(struct session *s) must_check;

/* Refuses to seal from now on (180 s without ratchet): any thread. */
void session_stop_sealing(struct session *s);

struct session_stats {
    uint64_t tx_datagrams, tx_bytes; /* sealed on the data lanes; bytes of plaintext */
    uint64_t rx_datagrams, rx_bytes; /* opened on the data lanes */
    uint64_t rx_expected; /* sum over data lanes of the highest counter opened, plus one; minus rx_datagrams:
                             lost or still on their way */
    uint64_t rx_control;  /* opened on the control lane, whose probes are sent to be lost */
    /* a key of either direction and any lane is past its soft limit, in bytes of plaintext or in counters:
     * the next to send, the highest opened */
    bool soft_limit;
};
void session_stats(const struct session *s, struct session_stats *out);
