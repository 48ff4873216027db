/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where a control stream to a peer can be opened: what carries it, and where it leads. A value, and pure. */

#include "base/addr.h"
#include "base/id.h"
#include <stdbool.h>

enum target_kind {
    TARGET_TCP = 1, /* the peer's own control port, or one that leads to it */
    TARGET_UPLINK,  /* a stream of our uplink to a backbone (docs/PROTOCOL.md §15) */
    TARGET_SESSION, /* the session that lives with the peer (§16) */
};

struct target {
    enum target_kind kind;
    struct addr addr; /* TCP */
    uint8_t backbone; /* UPLINK: by its number … */
    struct node_id
        id; /* … the peer that is asked for, or that asked, as the backbone says: proof of nothing. SESSION: the peer */
};

struct target target_tcp(const struct addr *control);
struct target target_uplink(unsigned backbone, const struct node_id *id);
struct target target_session(const struct node_id *id);
bool target_same(const struct target *a, const struct target *b);

/* "192.0.2.1:8443", "the backbone", "backbone 2", "the session". Returns out. */
#define TARGET_TEXT_MAX ADDR_TEXT_MAX
char *target_format(const struct target *t, char out[TARGET_TEXT_MAX]);

/* Whether datagrams may reach the peer at the address, too, at its port for them. */
bool target_is_host(const struct target *t);
