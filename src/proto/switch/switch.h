/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The Ethernet switch of one device: (MAC, VLAN) → port, where a port is a peer's slot or the device itself.
 * docs/PROTOCOL.md §13. Lookups and refreshing of a known entry take no lock (atomics on a fixed table);
 * learning something new takes one. Any worker; sizes fixed at creation. */

#include "base/addr.h"
#include "base/err.h"
#include "base/random.h"
#include "proto/wire/drop.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SWITCH_PORT_FLOOD    (-1) /* not known, or a group address: to every peer */
#define SWITCH_PORT_DEVICE   (-2) /* our own side */
#define SWITCH_PORT_BPDU     (-3) /* of bridges among themselves: not sent */
#define SWITCH_AGE_S         300
#define SWITCH_QUIET_MS      500   /* an address silent on our side for so long may have moved to a peer */
#define SWITCH_MOVES_MAX     3     /* from peer to peer … */
#define SWITCH_MOVES_S       10    /* … in so long; then an address stays where it is */
#define SWITCH_PINS_PER_PEER 4     /* addresses that a peer may announce */
#define SWITCH_PER_PEER      4096  /* addresses learned from one peer */
#define SWITCH_STORM_RATE    10000 /* flooded frames per second that one peer may send us … */
#define SWITCH_STORM_BURST   20000 /* … and how many at once */
#define SWITCH_PEERS_MAX     65535
#define SWITCH_ADDRESSES_MAX 8  /* overlay addresses that a peer may announce */
#define SWITCH_ASK_AGAIN_S   10 /* a question that comes again so soon is for everybody */

struct flood_counts;
struct switch_table;

/* For peer slots 0..peers-1 and up to entries addresses: all peers together fill at most seven eighths of
 * them, our own side at most half, so that neither crowds the other out. Where the peers' part is full, one that
 * has less than its fair share of it takes a place from one that has more. ERR_ARGUMENT or ERR_NOMEM. */
int switch_new(unsigned peers, unsigned entries, const struct random_source *random,
               struct switch_table **out) must_check;
void switch_free(struct switch_table *sw);

/* Whether frames of bridges among themselves pass, both ways; they do not by default. Before any worker
 * starts. */
void switch_pass_bpdus(struct switch_table *sw, bool pass);

/* The Ethernet header, as far as a switch reads it. */
struct switch_frame {
    uint8_t dst[6], src[6];
    uint16_t vlan; /* 802.1Q VID, 0 when untagged */
    uint16_t type; /* EtherType behind the tag */
};

/* DROP_NONE, DROP_RUNT (no whole header), or DROP_SOURCE (group source address). */
enum drop switch_parse(const uint8_t *frame, size_t len, struct switch_frame *out) must_check;

/* A frame from the device: learns its source as local, also when a peer had it, and returns the port of its
 * destination: a peer slot, SWITCH_PORT_FLOOD,
 * SWITCH_PORT_DEVICE (both behind our device: do not send; a station that has said nothing for SWITCH_QUIET_MS may
 * have left, so it is looked for everywhere), or SWITCH_PORT_BPDU (do not send either, nothing was
 * learned). */
int switch_from_device(struct switch_table *sw, const struct switch_frame *f, uint64_t now_us);

/* The address of the device itself: ours in every VLAN though it is silent, and no peer's to announce. Control
 * thread, along with switch_age. */
void switch_local(struct switch_table *sw, const uint8_t mac[6], uint64_t now_us);

/* A frame from an authenticated peer, before it goes to the device (never to another peer): learns its
 * source. DROP_NONE: deliver. DROP_SOURCE: the source is one of our own addresses. DROP_PINNED: it is
 * another peer's. DROP_BPDU: a bridge's
 * own frame. DROP_STORM: over the
 * peer's budget of group and unknown unicast frames, whose destination is not known on our side. *not_learned
 * is DROP_FDB_FULL or DROP_FLAPPING when the frame is fine but its source is not learned, else DROP_NONE. */
enum drop switch_from_peer(struct switch_table *sw, uint32_t slot, const struct switch_frame *f,
                           uint64_t now_us, enum drop *not_learned) must_check;

/* A group or unknown frame is there for the peer in slot. False: not now, as its paths sleep (floods_send). Any worker. */
bool switch_may_flood(struct switch_table *sw, uint32_t slot, bool sleeps, bool alone, uint64_t now_us);

/* How many such frames were exchanged with the peer in slot so far, and withheld: floods.h. Any thread. */
struct flood_counts switch_floods(const struct switch_table *sw, uint32_t slot);

/* The port of an address: a slot, SWITCH_PORT_DEVICE or SWITCH_PORT_FLOOD. Any thread. */
int switch_find(const struct switch_table *sw, const uint8_t mac[6], uint16_t vlan);

/* Gives the peer in slot the addresses that it announced, and takes back those that it announced before: they
 * are its alone in every VLAN, whatever else was learned, and always have room. An address that another peer
 * announced first stays that one's until that is gone (ERR_EXISTS, owner), unless this one can show that it is its own; our device's stays ours (ERR_PERMISSION); group
 * addresses and zero are nobody's (ERR_ARGUMENT). At most SWITCH_PINS_PER_PEER. Count 0 when the peer is gone.
 * Control thread. */
struct switch_pin {
    uint8_t mac[6];
    bool own;       /* made from the announcer's id: nobody else's */
    int err;        /* out */
    uint32_t owner; /* out: with ERR_EXISTS */
};
void switch_pin(struct switch_table *sw, uint32_t slot, struct switch_pin *list, unsigned count);

/* The peer in slot says in HELLO that it has these addresses and MACs, SWITCH_ADDRESSES_MAX and SWITCH_PINS_PER_PEER at
 * most; what it said before counts no longer. None when it is gone for good. It owns nothing by that: owners.h. Control
 * thread. */
void switch_claim(struct switch_table *sw, uint32_t slot, const struct addr_prefix *addresses, unsigned count,
                  const uint8_t (*macs)[6], unsigned mac_count);

/* It has no session any more, and may come back: switch_absent has what it claimed. Control thread. */
void switch_claim_absent(struct switch_table *sw, uint32_t slot);

/* A peer that has had no session yet is expected to have this MAC: as above. Control thread. */
void switch_expect(struct switch_table *sw, uint32_t slot, const uint8_t mac[6]);

/* A question for an address (solicit_target) is about to be sent: the slot of the only peer with a session that claims it, or
 * SWITCH_PORT_FLOOD: it is for everybody, as nobody claims it, or several do, or the same was asked within
 * SWITCH_ASK_AGAIN_S. Any thread. */
int switch_ask(struct switch_table *sw, const struct addr *a, uint64_t now_us);

/* The slot of the only peer without a session that claims the address or MAC, or SWITCH_PORT_FLOOD. Any thread. */
int switch_absent(const struct switch_table *sw, const struct addr *a);
int switch_absent_mac(const struct switch_table *sw, const uint8_t mac[6]);

/* Forgets everything learned from a peer, and its storm budget. After no worker can still pass frames of it
 * (fwd_settle), else they teach its addresses anew. */
void switch_forget(struct switch_table *sw, uint32_t slot);

/* Removes what was not seen for SWITCH_AGE_S. Control thread, every 10 s or so. */
void switch_age(struct switch_table *sw, uint64_t now_us);

struct switch_entry {
    uint8_t mac[6];
    uint16_t vlan;
    int port; /* a peer slot or SWITCH_PORT_DEVICE */
    uint32_t age_s;
};

/* Copies the next cap entries, in no order, and returns how many: fewer when those were the last. *at is 0 for the first
 * ones and is moved on. An address that moves in the table between two calls may be left out or come twice. Control
 * thread. */
size_t switch_list(struct switch_table *sw, uint64_t now_us, uint64_t *at, struct switch_entry *out,
                   size_t cap);
