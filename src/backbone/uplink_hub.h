/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What all uplinks share: who is there by id, deadlines, rates, and lists of those with which something is to be done.
 * The thread moves the clock (backbone/uplinks.h). Uplink thread. */

#include "backbone/metrics.h"
#include "backbone/uplink_names.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/id.h"
#include "base/log.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;
struct uplink;
struct uplink_places;
struct uplink_rates;
struct relay_server;
struct udp_socket;

struct uplinks_config {
    struct uplink_names names;
    unsigned relay_mbit; /* 0: no datagrams are passed on */
    unsigned source_mbit;
    unsigned max;             /* proven uplinks, at most UPLINK_MAX */
    struct udp_socket *relay; /* the relay's; NULL: there is none */
    /* A node came, or has gone. NULL: nobody wants to know. */
    void (*present)(void *context, const struct node_id *id, bool on);
    void *present_context;
};

struct uplink_hub {
    uint64_t now_us; /* of this turn of the loop */
    uint64_t seed;   /* of keys: nobody chooses where in a table he lies */
    struct table *by_id, *legs;
    unsigned leg_count, pair_count; /* of streams and pairs, of all */
    size_t waiting;                 /* bytes of frames, of all */
    uint32_t serials;
    struct uplink_places *places;
    struct uplink_rates *rates;
    struct relay_server *relay; /* NULL: there is none */
    bool relays;                /* datagrams are passed on */
    const struct uplinks_config *config;
    struct uplink_metrics *metrics;
    struct heap deadlines;
    struct uplink *all;                      /* list, but for those that are gone */
    struct uplink *unsent;                   /* list: something was added to what waits */
    struct uplink *gone;                     /* list: to be freed */
    struct uplink *first_proof, *last_proof; /* list: to be verified, in order */
    struct log_limit logged;
};

/* Fills a hub that is all zero; config and metrics are borrowed. uplink_hub_close frees what a failure leaves, too. */
int uplink_hub_open(struct uplink_hub *hub, const struct uplinks_config *config,
                    struct uplink_metrics *metrics) must_check;
/* Ends all uplinks at once, without a word. */
void uplink_hub_close(struct uplink_hub *hub);

/* Keys of tables. */
uint64_t uplink_hub_key(const struct uplink_hub *hub, const struct node_id *id);
/* Tells who wants to know that its node came, or has gone; not of a visit. */
void uplink_hub_present(const struct uplink *u, bool on);
/* The uplink of an id that is UP, or NULL. */
struct uplink *uplink_hub_find(const struct uplink_hub *hub, const struct node_id *id);

/* An uplink begins; is to be flushed; to be verified; ends. */
void uplink_hub_join(struct uplink *u);
void uplink_hub_list(struct uplink *u);
void uplink_hub_list_proof(struct uplink *u);
void uplink_hub_leave(struct uplink *u);

/* The parts of a turn. Verifies the next of those that wait; false: none does. Then: all whose deadline has come; the next
 * one that is to be flushed, or NULL; frees those that are gone. */
bool uplink_hub_verify(struct uplink_hub *hub);
void uplink_hub_fire(struct uplink_hub *hub);
struct uplink *uplink_hub_take_unsent(struct uplink_hub *hub);
void uplink_hub_bury(struct uplink_hub *hub);
