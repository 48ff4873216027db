/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The data keys of one link over time: the session made at the handshake, and those that the ratchet makes
 * from it. docs/PROTOCOL.md §12. Either side offers a step when the key is 120 s old or at its soft
 * limit, the one that opened the link a little sooner; the other answers. An offer that comes too soon after the last
 * step is ignored: a step costs both sides CPU time. Receive keys are always in place
 * before the other side can know the new key, and old ones live on for 5 s, so that no datagram is lost at a
 * change. Sans-I/O, control thread.
 *
 *   IDLE ── due: OFFER ──▶ OFFERED ── ANSWER: install, send under the new key, DONE ──▶ IDLE
 *   IDLE ── OFFER: install for receiving, ANSWER ──▶ ANSWERED ── anything under the new key: send so ──▶ IDLE
 *   OFFERED ── OFFER: the opener ignores it, the other side gives its own up and answers
 */

#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "proto/message/message.h"
#include "proto/session/session.h"
#include <stdbool.h>
#include <stdint.h>

#define KEYCHAIN_GRACE_US    60000000ull /* how long a step may take before the key is never used again */
#define KEYCHAIN_OLD_KEEP_US 5000000ull  /* how long receive keys outlive the change */
#define KEYCHAIN_OLD_MAX     8
#define KEYCHAIN_COOL_US     60000000ull /* what lanes are made of is taken away when none used it for so long */
#define KEYCHAIN_LEAST_PART  16 /* no step sooner than this part of ratchet_us after the last: 7.5 s */

/* What a keychain needs of its owner. */
struct keychain_ops {
    /* Reserves a receiver index that no session of this node has and that is promised to nobody; 0 when out of
     * memory. A session that is added takes it over; it is given back otherwise. */
    uint32_t (*reserve_index)(void *context);
    void (*release_index)(void *context, uint32_t index);
    /* s, whose receiver index was reserved, may receive from now on. */
    int (*session_added)(void *context, struct session *s);
    /* Takes s: it is used no more and to be freed as soon as no worker holds it. */
    void (*session_dropped)(void *context, struct session *s);
    /* Lanes of s that are not used give back what they have: session_cool. */
    void (*cool)(void *context, struct session *s);
    /* The session to send under changed. */
    void (*send_changed)(void *context);
    /* Sends m as a CONTROL datagram under s. May be lost. */
    void (*send_control)(void *context, struct session *s, const struct message *m);
    void *context;
};

struct keychain_config {
    enum aead_suite suite;
    uint8_t tx_lanes, rx_lanes;
    bool sparse; /* session.h */
    bool opener;
    uint32_t peer_slot;
    uint64_t ratchet_us; /* age of a key at which the next step begins */
};

struct keychain;

/* Makes the first session from root; it receives at once and sends after keychain_peer_ready. rx_index was
 * reserved by the caller, who keeps it when this fails. ops is copied. */
int keychain_new(const struct keychain_config *config, const struct keychain_ops *ops,
                 const uint8_t root[KDF_LEN], uint32_t rx_index, uint32_t tx_index, uint64_t now_us,
                 struct keychain **out) must_check;

/* Drops every session. NULL is allowed. */
void keychain_free(struct keychain *k);

/* The peer has its receive keys in place. */
void keychain_peer_ready(struct keychain *k, uint64_t now_us);

/* The session to send under, NULL before keychain_peer_ready and once the key is past its time. */
struct session *keychain_send_session(const struct keychain *k);

/* From now on nothing is sealed under any of its keys. */
void keychain_stop_sealing(struct keychain *k);

/* Every session that may receive, for publishing. Returns how many were copied. */
size_t keychain_sessions(const struct keychain *k, struct session **out, size_t cap);

/* A datagram authenticated under s. */
void keychain_on_received(struct keychain *k, const struct session *s, uint64_t now_us);

/* A ratchet message arrived under s. Anything out of turn is ignored: messages are repeated until they are
 * answered. */
void keychain_on_message(struct keychain *k, const struct session *s, const struct message *m,
                         uint64_t now_us);

/* Workers have used lanes that have nothing of their own yet. */
void keychain_warm(struct keychain *k, uint64_t now_us);
/* Some data lane has something of its own: else whoever uses one asks (session_asks). */
bool keychain_is_warm(const struct keychain *k);

/* Timers: offers, repeats, expiry of old keys, lanes that are not used. */
void keychain_tick(struct keychain *k, uint64_t now_us);
uint64_t keychain_next_deadline(const struct keychain *k);

/* Steps taken so far, and when the last one was. */
uint32_t keychain_steps(const struct keychain *k);
uint64_t keychain_last_step_us(const struct keychain *k);
