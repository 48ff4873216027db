/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The STUN servers that we ask how they see our data port: each backbone, and those of -stun, at one address of each family.
 * Any of them may lie: what it says costs its own candidate. docs/PROTOCOL.md §10. Time comes in; control thread. */

#include "base/bucket.h"
#include "node/config/config.h"
#include "node/underlay/reflexive.h"
#include "proto/nat/nat.h"

#define OBSERVERS_MAX         (UPLINKS_MAX + CONFIG_STUN_MAX) /* numbers of servers: a backbone's is its own */
#define OBSERVERS_SEEN_MAX    3         /* distinct addresses of each family at which they see us */
#define OBSERVERS_INTERVAL_US 125000ull /* a request may be sent so often … */
#define OBSERVERS_BURST       16        /* … and so many at once after a pause */

struct observers {
    struct reflexive list[OBSERVERS_MAX][2]; /* IPv4, IPv6 */
    struct bucket sent;
};

/* Server `number` answers STUN at these addresses, of which the first of each family is asked from now on. count 0: nowhere. True
 * when another address is asked than before. */
bool observers_set(struct observers *o, unsigned number, const struct addr *list, unsigned count);

/* The network changed: all are asked anew. */
void observers_restart(struct observers *o);

/* Opens a request that is due, and tells where it goes; returns its length. 0: none is due, or too many went of late. */
size_t observers_request(struct observers *o, uint64_t now_us, struct addr *to,
                         uint8_t out[STUN_MESSAGE_MAX]);

/* 0 when data answers one of them (reflexive_answer), else the error. */
int observers_answer(struct observers *o, const struct addr *from, const uint8_t *data, size_t len,
                     uint64_t now_us) must_check;

/* The distinct addresses at which servers see us, of each family those that most of them name; of equals that of the lower
 * number. Returns how many. */
unsigned observers_seen(const struct observers *o, struct addr out[2 * OBSERVERS_SEEN_MAX]);

/* False while an answer may come that changes what they say. */
bool observers_settled(const struct observers *o, uint64_t now_us);

/* Fills what those of a family (4 or 6) saw into n, the newest last. */
void observers_observed(const struct observers *o, unsigned family, struct nat *n);
