/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where a control stream to a peer can be opened: what carries it, and the address that it leads to. A value, and pure. */

#include "base/addr.h"
#include <stdbool.h>

enum target_kind {
    TARGET_TCP = 1, /* the peer's own control port, or one that leads to it */
};

struct target {
    enum target_kind kind;
    struct addr addr;
};

struct target target_tcp(const struct addr *control);
bool target_same(const struct target *a, const struct target *b);

/* "192.0.2.1:8443". Returns out. */
#define TARGET_TEXT_MAX ADDR_TEXT_MAX
char *target_format(const struct target *t, char out[TARGET_TEXT_MAX]);

/* Whether datagrams may reach the peer at the address, too, at its port for them. */
bool target_is_host(const struct target *t);
