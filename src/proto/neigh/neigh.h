/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Neighbours of a device without a link layer: what the kernel does for a TAP by ARP (RFC 826, RFC 5227) and neighbour
 * discovery (RFC 4861, RFC 4862), for one that has IP packets alone. Control thread. docs/PROTOCOL.md §13.
 *
 *            neigh_out                      answer                    a third of its life, if it was used
 *   nobody ───────────▶ asked, 3 tries ───────────▶ known ───────────────────────────────────▶ asked by unicast
 *                          │ no answer                ▲  └─ its life ends: nobody                 │    │
 *                          ▼                          └────────────────── answer ─────────────────┘    ▼ 3 tries
 *                        nobody, what waited is lost                                                 nobody
 *
 * What peers say in HELLO that they have is known without a question, and no frame changes it. */

#include "base/addr.h"
#include "base/err.h"
#include "base/random.h"
#include "proto/neigh/neigh_plan.h"
#include "proto/wire/drop.h"
#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>

#define NEIGH_MAX        1024 /* neighbours learned by questions and answers … */
#define NEIGH_WAITING    3    /* … frames that wait for one of them … */
#define NEIGH_TRIES      3    /* … questions for it, one a second … */
#define NEIGH_LIFE_S     60   /* … and how long an answer is believed */
#define NEIGH_PEERS_MAX  4096 /* slots */
#define NEIGH_CLAIMS_MAX 8    /* addresses that a peer may say that it has */
#define NEIGH_PROBES     3    /* questions for our own address (RFC 5227 §2.1.1) … */
#define NEIGH_ANNOUNCES  2    /* … and what we say of it then, one a second … */
#define NEIGH_AGAIN_S    10   /* … and again no sooner */

struct neigh;
struct neigh_table;

#define NEIGH_ANY_WORKER UINT32_MAX

/* A frame for the segment: one that waited, from its worker, or one of our own. */
struct neigh_frame {
    uint32_t worker; /* NEIGH_ANY_WORKER: our own */
    struct virtio_net_hdr vnet;
    uint8_t *data;
    size_t len;
};

struct neigh_config {
    uint8_t mac[6];
    struct neigh_table *table; /* borrowed: what is known stands there */
    void (*send)(void *context, const struct neigh_frame *frame);
    /* Another machine has an address of ours; at most once in NEIGH_AGAIN_S for each. */
    void (*conflict)(void *context, const struct addr *ours, const uint8_t mac[6]);
    void *context;
};

int neigh_new(const struct neigh_config *config, struct neigh **out) must_check;
void neigh_free(struct neigh *n); /* NULL is allowed */

/* Where packets go from now on; borrowed until the next one. Addresses of ours that are new in it are probed and announced.
 * First of all. */
void neigh_set_plan(struct neigh *n, const struct neigh_plan *plan);

/* The peer in slot has these addresses, NEIGH_CLAIMS_MAX at most, at its MAC, and those of before no longer. What several
 * claim is asked for as if nobody did. Our own are not believed. ERR_NOMEM: it is asked for. */
int neigh_claim(struct neigh *n, uint32_t slot, const struct addr_prefix *list, unsigned count,
                const uint8_t mac[6]) must_check;

/* Somebody has come who may not know our addresses: they are probed and announced, within NEIGH_AGAIN_S. */
void neigh_meet(struct neigh *n);

/* A frame that neigh_view_out could not address: it is sent, or waits for its next hop. DROP_NONE: it was taken; f's data
 * may be changed, and is the caller's again. DROP_NO_NEIGHBOUR: as many wait. */
enum drop neigh_out(struct neigh *n, const struct neigh_frame *f, uint64_t now_us) must_check;

/* A neighbour's message that concerns us (neigh_view_in). */
void neigh_in(struct neigh *n, const uint8_t *frame, size_t len, uint64_t now_us);

/* Once a second. Returns how many frames waited in vain. */
unsigned neigh_tick(struct neigh *n, uint64_t now_us);

/* Neighbours learned, NEIGH_MAX at most. */
unsigned neigh_count(const struct neigh *n);
