/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a node needs to relay for its peers: the books that workers and the control thread share, and its rates.
 * docs/PROTOCOL.md §17. Control thread. */

#include "base/err.h"

#define RELAYING_CHANNELS_MAX 4096

struct byte_rates;
struct relay_desk;

/* All zero: it does not. */
struct relaying {
    struct relay_desk *desk;
    struct byte_rates *rates;
    unsigned mbit;
};

/* ERR_NOMEM. */
int relaying_init(unsigned mbit, struct relaying *out) must_check;
void relaying_fini(struct relaying *r);
