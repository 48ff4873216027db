/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whom we look for on the local network, what we say there and when, and who is heard. Sans-I/O, control thread.
 * docs/PROTOCOL.md §20. */

#include "base/err.h"
#include "base/id.h"
#include "proto/lan/beacon.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAN_PEERS_MAX 512 /* those beyond are neither looked for nor answered */

struct lan;
struct lan_place; /* of a peer, until the next lan_set_peers */

struct lan_peer {
    struct node_id id;
    bool seeks;     /* we dial it; else it is only told that we are here */
    bool connected; /* it need not be looked for */
};

/* ERR_NOMEM. */
int lan_new(const struct node_id *me, uint16_t control_port, struct lan **out) must_check;
void lan_free(struct lan *l);

/* All of them, in any order that lasts; once a second, for hints depend on the time. One that is new, or not connected any
 * more, begins the rounds anew. ERR_NOMEM, ERR_CRYPTO: somebody is not heard until the next call. */
int lan_set_peers(struct lan *l, const struct lan_peer *list, unsigned count, uint64_t unix_s) must_check;

/* The network is another one: the rounds begin anew. */
void lan_restart(struct lan *l);

/* The next to whom something is to be said now, on each interface, or NULL: whoever seeks us, then whoever's turn it is in
 * the round. */
const struct lan_place *lan_next(struct lan *l, uint64_t now_us);

/* A beacon for it, another one at each call. Errors as beacon_encode. */
int lan_say(struct lan *l, const struct lan_place *to, uint64_t unix_s, uint8_t out[BEACON_LEN]) must_check;

enum lan_heard {
    LAN_IGNORED, /* no beacon, none of a peer of ours, or an old one */
    LAN_HEARD,   /* one of a peer: perhaps lan_next has an answer */
    LAN_FOUND,   /* one of a peer that is to be dialled where it came from */
    LAN_FULL,    /* so many came that this one was not looked at: listen no more for a while */
};
/* For LAN_FOUND *id and its control port are written. */
enum lan_heard lan_hear(struct lan *l, const uint8_t *data, size_t len, uint64_t now_us, uint64_t unix_s,
                        struct node_id *id, uint16_t *control_port);
