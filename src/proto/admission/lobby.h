/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where accepted connections wait for their handshake, or for the first batch of a trunk (docs/PROTOCOL.md §18), which
 * needs no turn. A guest costs us a place and a buffer, no TLS state, until
 * its whole ClientHello is here and its turn has come. Turns are bought from one budget for the whole node: known
 * sources first, then whoever's neighbourhood was served least of late. docs/PROTOCOL.md §6. Sans-I/O, control
 * thread. */

#include "base/err.h"
#include "base/random.h"
#include "proto/wire/target.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOBBY_PLACES            256
#define LOBBY_PER_SOURCE        16
#define LOBBY_HELLO_MAX         4096
#define LOBBY_PATIENCE_US       2500000ull /* for the ClientHello, and again for the turn */
#define LOBBY_TURN_US           15000ull /* one handshake every so often, of about 2.2 ms: a sixth of a core */
#define LOBBY_TURNS_AT_ONCE     16
#define LOBBY_TURNS_FOR_KNOWN   8           /* of those at once */
#define LOBBY_MEMORY_US         10000000ull /* how long one handshake counts against its source */
#define LOBBY_MEMORY_HANDSHAKES 60          /* as many count at most */
#define LOBBY_SOURCES           4096        /* whose handshakes are remembered */
#define LOBBY_TRUNK             1           /* the guest is one, and its first batch is here: lobby_take */

struct lobby;

struct lobby_guest {
    uint64_t conn; /* 0: nobody */
    struct target from;
    bool known; /* it comes from where a peer of our lists is expected */
    uint8_t hello[LOBBY_HELLO_MAX];
    size_t len;
};

int lobby_new(const struct random_source *random, struct lobby **out) must_check;
void lobby_free(struct lobby *l);

/* Takes a guest in. Returns the conn of the one that lost its place to it, or 0. */
uint64_t lobby_enter(struct lobby *l, uint64_t conn, const struct target *from, bool known, uint64_t now_us);
/* False when conn is not here. */
bool lobby_leave(struct lobby *l, uint64_t conn);

/* Bytes of a guest. 0 or LOBBY_TRUNK; ERR_NOT_FOUND when conn is not here; ERR_FORMAT when they are not the beginning of a
 * TLS ClientHello of at most LOBBY_HELLO_MAX bytes, nor, over TCP, of a trunk's first batch. */
int lobby_feed(struct lobby *l, uint64_t conn, const uint8_t *data, size_t len, uint64_t now_us) must_check;

/* The guest conn, which has left; what is returned holds until the next call of this or lobby_next. NULL when it is not
 * here. */
const struct lobby_guest *lobby_take(struct lobby *l, uint64_t conn);

/* Whose turn it is now, or NULL; it has left, and what is returned holds until the next call. */
const struct lobby_guest *lobby_next(struct lobby *l, uint64_t now_us);

/* The conn of a guest that has waited too long, and has left; 0 when there is none. */
uint64_t lobby_expired(struct lobby *l, uint64_t now_us);

/* How many guests have come by the uplink to that backbone; *strangers grows by those who are not known. */
unsigned lobby_uplink_guests(const struct lobby *l, unsigned backbone, unsigned *strangers);

/* When lobby_next or lobby_expired may next return something; TIME_NEVER. */
uint64_t lobby_next_deadline(const struct lobby *l, uint64_t now_us);
