/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The insides of neigh.h, shared by neigh.c (what is known, what waits, time), neigh_claim.c (what peers say that they have)
 * and neigh_talk.c (what is said on the segment); nobody else includes this. Control thread. */

#include "base/table.h"
#include "proto/neigh/neigh.h"
#include "proto/neigh/neigh_table.h"
#include <stdbool.h>

#define NEIGH_UNPLACED UINT32_MAX

/* An address on the segment. */
struct neigh_entry {
    struct addr addr;
    uint64_t key;
    uint8_t mac[6];
    bool known, used; /* used: packets went there since it was last confirmed */
    uint8_t tries;    /* questions since then */
    unsigned waiting;
    uint64_t confirmed_us, asked_us;
    struct neigh_frame waits[NEIGH_WAITING]; /* while it is not known; their data is owned */
    uint32_t place;                          /* among those learned, or NEIGH_UNPLACED: a peer's */
    uint32_t claims, claimants; /* how many peers have it, and their slots, each taken in by XOR */
};

/* What one peer says that it has. */
struct neigh_claimant {
    uint8_t mac[6], count;
    struct addr list[NEIGH_CLAIMS_MAX];
};

/* An address of ours, and what is still to be said of it. */
struct neigh_own {
    struct addr addr;
    uint8_t probes, announces;
    uint64_t told_us; /* when a conflict was told and answered; 0: never */
};

struct neigh {
    struct neigh_config config;
    const struct neigh_plan *plan;
    struct table *entries; /* struct neigh_entry by key */
    struct neigh_entry *learned[NEIGH_MAX];
    uint32_t learned_count, hand; /* hand: where the next one to make room is looked for */
    unsigned lost;                /* frames that waited in vain, since the last tick */
    struct neigh_claimant *claimants;
    struct neigh_own own[NEIGH_OWN_MAX];
    unsigned own_count;
    bool meets;       /* somebody has come since … */
    uint64_t said_us; /* … all was last said */
};

/* The entry of an address, or NULL. */
struct neigh_entry *neigh_find(const struct neigh *n, const struct addr *a);

/* A new one that nobody has yet. NULL: out of memory, or its place is another's. */
struct neigh_entry *neigh_entry_new(struct neigh *n, const struct addr *a);

/* Nothing is known of it any more, and what waits is lost. It is freed unless peers claim it. */
void neigh_forget(struct neigh *n, struct neigh_entry *e);

/* Room among those learned, for one that is wanted here, or that only spoke to us: it takes the place of none that is used.
 * False: there is none. */
bool neigh_place(struct neigh *n, struct neigh_entry *e, bool wanted);
void neigh_unplace(struct neigh *n, struct neigh_entry *e);

/* It is at mac: workers are told, and what waits is sent. */
void neigh_learn(struct neigh *n, struct neigh_entry *e, const uint8_t mac[6], uint64_t now_us);
