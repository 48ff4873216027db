/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The backbones of this node: of each the directory in which we are registered and look others up, and our uplink. All are
 * used at once, so that none is missed while another one answers. docs/PROTOCOL.md §20. Control thread. */

#include "base/addr.h"
#include "base/err.h"
#include "node/uplink/uplink.h"
#include "proto/path/endpoint.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct backbones;
struct helper_client;
struct identity;
struct name_client;
struct node_id;
struct proxy;
struct record;
struct record_bytes;
struct streams;
struct ways;

struct backbones_events {
    /* As rendezvous_config's. */
    void (*describe)(void *context, struct record *record);
    void (*found)(void *context, const struct record *record, const struct record_bytes *bytes);
    void (*missing)(void *context, const struct node_id *id, const char *why);
    void (*clock)(void *context, int64_t ahead_s);
    /* The backbone of that number answers, and is asked by STUN at one of these; count 0: nowhere that is known. */
    void (*reached)(void *context, unsigned number, const struct addr *list, unsigned count);
    /* As uplink_config's, of the backbone of that number. relay: where it is, with its port. */
    void (*uplink)(void *context, unsigned number, bool up, uint32_t interface);
    void (*paired)(void *context, unsigned number, const struct node_id *id, bool on);
    void (*relayed)(void *context, unsigned number, const struct node_id *id, const struct addr *relay,
                    uint32_t channel, const uint8_t *token);
    void (*dropped)(void *context, uint64_t batches);
    void *context;
};

/* One of them, as it was given. All borrowed. */
struct backbones_place {
    const char *url;
    const struct proxy *proxy; /* by which it is reached; its URL is empty for none */
    int uplink; /* the node's end of the channel to its uplink's helper; taken, also on an error */
};

struct backbones_config {
    uv_loop_t *loop;
    unsigned count; /* 1 to UPLINKS_MAX; their numbers are their places in this list, … */
    struct backbones_place places[UPLINKS_MAX];
    unsigned place_count;         /* … of which those behind them are for visits, and have no URL */
    struct helper_client *helper; /* that speaks with all of them; borrowed, as what follows */
    struct name_client *names;
    const struct identity *me;
    struct streams *streams; /* learns how to dial by each */
    const struct ways *ways; /* as uplink_config's */
    unsigned workers;        /* that take datagrams of uplinks */
    const char *
        folder; /* in which other instances are kept for the next start; borrowed until the loop has closed our handles; NULL: none */
    struct backbones_events events;
};

/* Begins to register and to connect. Events come later. */
int backbones_new(const struct backbones_config *config, struct backbones **out) must_check;

/* Nobody is looked up any more and no registration renewed. Uplinks stay. NULL is allowed. */
void backbones_leave_directories(struct backbones *b);

/* No event comes any more; memory of parts goes when the loop has closed their handles. NULL is allowed. */
void backbones_close(struct backbones *b);

/* The URL of a backbone as it was given, or of a visit: those that endpoints of uplinks name. Borrowed until it changes. */
const char *backbones_url(const struct backbones *b, unsigned number);

/* Our description changed: as rendezvous_changed, at each. */
void backbones_changed(struct backbones *b);

/* Our addresses have changed: as uplink_network_changed, at each. */
void backbones_network_changed(struct backbones *b);

/* As uplink_check, at the one of that number. */
void backbones_check(struct backbones *b, unsigned number);

/* Look id up at each, until backbones_forget. NULL is allowed: nobody is there to be asked. */
void backbones_want(struct backbones *b, const struct node_id *id);
void backbones_forget(struct backbones *b, const struct node_id *id);

/* As uplink_pair and uplink_relay, of the uplink of that number. */
void backbones_pair(struct backbones *b, unsigned number, const struct node_id *id, bool on);
void backbones_relay(struct backbones *b, unsigned number, const struct node_id *id);

/* Of one of them, for people. Texts are borrowed until the next turn of the loop. */
struct backbone_status {
    const char *url;
    const char *instance; /* the URL of another one that is used in its place; empty: none */
    const char *proxy;    /* empty: none */
    bool reachable, registered;
    const char *error; /* why it is not registered; empty when it is, or while there is no cause yet */
    struct uplink_status uplink;
};

/* How many there are. NULL is allowed: none. */
unsigned backbones_count(const struct backbones *b);
struct backbone_status backbones_status(const struct backbones *b, unsigned number);
