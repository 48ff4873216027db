/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The network that this node is a member of (-network): its certificates, from KEYDIR. Control thread. docs/PROTOCOL.md §25. */

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct cert;
struct config;
struct identity;
struct issuer;
struct membership;
struct mesh;
struct network;
struct serving_issuer;

/* Reads and judges them; without any, but with a token, this node is to join. On an error one line told what is wrong and what to
 * do. The caller closes *out. */
int network_open(const struct config *config, const struct identity *me, struct network **out) must_check;
void network_close(struct network *n); /* NULL is allowed */

/* The mesh is there: this node joins by it, if it is to. ERR_SPACE, ERR_NOMEM. */
int network_begin(struct network *n, struct mesh *mesh) must_check;

/* MESH_OUTPUT_ASKED. True: this node has become a member just now, and the mesh knows. */
bool network_on_asked(struct network *n);

/* What the mesh judges peers by; NULL while this node joins. Borrowed. */
struct membership *network_membership(const struct network *n);

/* This node's certificate; NULL while it joins. Borrowed until it is renewed. */
const struct cert *network_me(const struct network *n);

/* Its certificate as an issuer; empty: it is none. Borrowed. */
struct slice network_own_issuer(const struct network *n);
/* The CA made this node an issuer while it runs: keeps the certificate, if it is not the one that it has. True: it is an issuer
 * from now on. What went wrong was told. */
bool network_promote(struct network *n, struct slice certificate);

/* What makes this node an issuer; NULL: it is none. Borrowed. */
struct issuer *network_issuer(const struct network *n);
/* What answers there who joins and renews; NULL: nothing does. Borrowed. */
const struct serving_issuer *network_serving(const struct network *n);

/* KEYDIR, open. */
int network_keydir(const struct network *n);

/* What network_status says beside the state, until it is told again; borrowed. */
void network_tell(struct network *n, const char *text);

/* Its addresses in the network, each with its subnet. Returns how many there are, at most CERT_ADDRESSES_MAX; 0 while it
 * joins. */
unsigned network_addresses(const struct network *n, struct addr_prefix *out);

/* Once a second: the wall clock may have been set. */
void network_tick(struct network *n, uint64_t now_us);

/* For people, and --json. */
struct network_status {
    const char *name, *id;          /* of the network; 40 digits, empty while it joins */
    const char *state;              /* "joining", "refused", "member" or "expired" */
    const char *step;               /* while it joins: joining.h; else "member" */
    const char *text;               /* what to do about it; empty when nothing is to be done */
    bool issuer;                    /* it lets others in */
    uint64_t not_before, not_after; /* of this node's certificate, seconds since 1970; 0 while it joins */
    unsigned spent;                 /* of its life, in per cent */
    uint64_t issuer_not_after;      /* of that as an issuer; 0: it is none */
};
struct network_status network_status(const struct network *n, uint64_t now_us);
