/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A session's insides, shared by session.c (sealing, opening, figures) and session_lane.c (its lanes); nobody else includes
 * this. */

#include "crypto/aead_shared.h"
#include "proto/session/replay.h"
#include "proto/session/session.h"
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#define CACHE_LINE 64

/* The nonce is of the datagram at hand: an array on the stack would be guarded for each. */
struct tx_lane {
    alignas(CACHE_LINE) struct aead *_Atomic aead; /* its own, or the spare */
    uint8_t iv[AEAD_NONCE_LEN], nonce[AEAD_NONCE_LEN];
    _Atomic uint64_t next; /* counter */
    _Atomic uint64_t bytes;
    uint8_t key[AEAD_KEY_LEN];
    struct aead *spare;
    uint64_t looked; /* next, when control last looked */
};

/* What opens a lane that is used. */
struct rx_opener {
    struct aead *aead;
    struct replay replay;
};

struct rx_lane {
    alignas(CACHE_LINE) struct rx_opener *opener; /* NULL: the spare opens. Of whoever holds the lane */
    uint8_t iv[AEAD_NONCE_LEN], nonce[AEAD_NONCE_LEN];
    _Atomic uint64_t bytes;
    pthread_mutex_t held;
    struct replay_narrow narrow; /* while there is no opener */
    uint8_t key[AEAD_KEY_LEN];
    struct aead *spare;
    uint64_t looked; /* received, when control last looked */
};

/* The arrays hold the data lanes in order and the control lane behind them. */
struct session {
    struct tx_lane *tx;
    struct rx_lane *rx;
    unsigned tx_lanes, rx_lanes; /* data lanes */
    bool sparse;                 /* the last of a side's is WIRE_LANE_SPARSE, unless it is the only one */
    int8_t tx_at[WIRE_LANES],
        rx_at[WIRE_LANES]; /* where the lane of a number is in its array; -1: there is none */
    uint32_t rx_index, tx_index, peer_slot;
    enum aead_suite suite;
    struct session_limits limits;
    _Atomic bool stopped;
    struct aead_shared *spare; /* of lanes that have no cipher of their own */
    _Atomic uint32_t *wanted;  /* lanes that it has served: ours, and the peer's 16 bits further up … */
    _Atomic uint32_t asked;    /* … and of whom control has been told */
};

#define WANTED_RX_SHIFT 16

/* The spare, which serves every lane at first: each has its key already. ERR_NOMEM or ERR_CRYPTO. */
int session_make_spare(struct session *s) must_check;

/* Frees what lanes are made of. */
void session_free_lanes(struct session *s);

/* What has come on a lane of the peer's: the highest counter plus one, and how many. Control thread. */
void session_seen(const struct rx_lane *rx, uint64_t *highest, uint64_t *received);
