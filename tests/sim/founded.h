/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network whose keys a test has: its CA, two issuers, and certificates for the nodes of a simulation. */

#include "crypto/founding.h"
#include "proto/network/membership.h"
#include "sim.h"

#define FOUNDED_NOW     1790000000ull /* seconds since 1970, whenever a node joins */
#define FOUNDED_ISSUERS 2

struct founded {
    struct identity *ca, *issuers[FOUNDED_ISSUERS];
    struct founding_cert ca_cert, issuer_certs[FOUNDED_ISSUERS];
};

void founded_open(struct founded *f, const char *network);
void founded_close(struct founded *f);

/* n's certificate by that issuer, as it is given now: named node-N. */
struct founding_cert founded_cert(const struct founded *f, const struct sim_node *n, unsigned issuer);
/* The same value, altered, signed anew. */
void founded_sign(const struct founded *f, unsigned issuer, struct founding_cert *c);

/* n starts anew as a member with that certificate. */
void founded_join(const struct founded *f, struct sim_node *n, unsigned issuer,
                  const struct founding_cert *c);
/* n, which is a member, goes on with that one. */
void founded_renew(const struct founded *f, struct sim_node *n, unsigned issuer,
                   const struct founding_cert *c);
