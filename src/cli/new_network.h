/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Makes a network on this machine: the CA's key, this node's key, their certificates and a configuration. */

#include "cli/node_conf.h"
#include "cli/place.h"
#include "crypto/cert.h"

/* What a person may have chosen. */
struct new_network {
    const char *name;          /* of this node */
    struct addr_prefix range;  /* IPv4; family 0: one that nothing here has */
    struct addr_prefix range6; /* family 0: of the CA's fingerprint */
    struct addr tap_ip;        /* this node's in the network; family 0: the first */
    struct node_conf conf;
    struct identity *key; /* of this node, borrowed; NULL: a new one */
};

/* Makes it. False when it complained, and nothing is left of it. *member is this node's certificate. */
bool new_network_make(const struct place *place, const struct new_network *plan, struct cert *ca,
                      struct cert *member);
