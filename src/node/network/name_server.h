/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A name server at our own addresses in the network, UDP port 53, for programs that have them, too: others get no answer.
 * Control thread. */

#include "base/addr.h"
#include "proto/names/dns.h"
#include <uv.h>

#define NAME_SERVER_PORT 53

struct name_server;

/* zone is copied, what it points to is borrowed. broker: the channel of the one in whose network namespace our addresses
 * are (net/broker.h); -1: they are here. ERR_NOMEM. */
int name_server_new(uv_loop_t *loop, const struct dns_zone *zone, int broker,
                    struct name_server **out) must_check;

/* Serves at these addresses, DNS_ADDRESSES_MAX at most, and no others. ERR_BUSY when another program has the port at one of
 * them, ERR_PERMISSION, ERR_IO (errno): then it serves at those where it can, and may be called again. */
int name_server_serve(struct name_server *s, const struct addr *list, unsigned count) must_check;

/* NULL is allowed. Memory goes when the loop has closed the handles. */
void name_server_close(struct name_server *s);
