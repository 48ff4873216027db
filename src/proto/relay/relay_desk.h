/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where threads share a relay's books (proto/relay/relay.h): a lock that is held for a look-up, and the rates that hold for all
 * of them. A backbone has one, and so has a node that relays. Any thread; time comes in, of each thread by its own clock: the latest
 * holds. docs/PROTOCOL.md §17. */

#include "proto/relay/relay.h"

#define RELAY_TRAIN_DATAGRAMS 64    /* at most, in one call to the kernel … */
#define RELAY_TRAIN_BYTES     65507 /* … and so many bytes */

struct byte_rates;
struct relay_desk;

struct relay_desk_config {
    struct relay_config books;
    struct byte_rates *rates; /* of what passes; borrowed */
};

int relay_desk_new(const struct relay_desk_config *config, struct relay_desk **out) must_check;
void relay_desk_free(struct relay_desk *d); /* NULL is allowed */

/* As relay_open, relay_close, relay_serve, relay_expire and so on. */
int relay_desk_open(struct relay_desk *d, const struct node_id ends[2], uint64_t now_us,
                    struct relay_grant *out) must_check;
void relay_desk_close(struct relay_desk *d, const struct node_id ends[2], uint64_t now_us);
void relay_desk_serve(struct relay_desk *d, const struct node_id *id, bool on);
bool relay_desk_expire(struct relay_desk *d, uint64_t now_us, struct node_id ends[2]);
void relay_desk_press(struct relay_desk *d, unsigned percent);
bool relay_desk_has(struct relay_desk *d, uint32_t channel);
unsigned relay_desk_count(struct relay_desk *d);

/* As relay_bind, within the rates of messages. */
enum relay_verdict relay_desk_bind(struct relay_desk *d, const struct relay_hop *from, const uint8_t *data,
                                   size_t len, uint64_t now_us, uint8_t answer[RELAY_MESSAGE_LEN],
                                   struct relay_binding *out) must_check;

/* What goes one way. */
struct relay_train {
    size_t len;          /* of its datagrams, which lie behind each other */
    struct relay_hop to; /* where, if it passes */
};

/* How many bytes from data on go one way: left are there, in datagrams of segment bytes but for the last. The kernel joins them by
 * address and size, whatever their channel. More than RELAY_TRAIN_BYTES only where the first datagram is. */
size_t relay_train_len(const uint8_t *data, size_t left, size_t segment);

/* As relay_pass, for the train at data, within the rates. out->len is written in any case. RELAY_MALFORMED, too, for a datagram of more
 * than RELAY_TRAIN_BYTES. */
enum relay_verdict relay_desk_pass(struct relay_desk *d, const struct addr *from, const uint8_t *data,
                                   size_t left, size_t segment, uint64_t now_us,
                                   struct relay_train *out) must_check;
