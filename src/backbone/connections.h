/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Open HTTP connections, how long each has kept us waiting, and who makes room. libmicrohttpd's timeout starts anew
 * with every byte, so a sender of one byte now and then would hold its place for ever; here only a finished
 * request counts. Its limit per address knows no prefixes and turns newcomers away; here nobody is turned away, and
 * whoever has waited longest in the most crowded neighbourhood (proto/admission/crowd.h) is shut down. Any thread. */

#include "base/addr.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct connections;
struct connection;

/* max that are served, at most per_source of one source (its neighbourhoods: four and sixteen times as many), and so
 * many more that were shut down and not removed yet. */
int connections_new(unsigned max, unsigned per_source, unsigned leaving, struct connections **out) must_check;
void connections_free(struct connections *c);

/* A connection begins on fd; NULL when too many have yet to be removed. *pushed tells whether another one was
 * shut down for it. The caller removes it before fd is closed. */
struct connection *connections_add(struct connections *c, int fd, const struct addr *source, uint64_t now_us,
                                   bool *pushed);

/* A request was answered whole. NULL is allowed, here and in remove. */
void connections_served(struct connections *c, struct connection *one, uint64_t now_us);
void connections_remove(struct connections *c, struct connection *one);

/* Shuts down those that have been waiting since before limit_us; their owner then sees the end of the stream.
 * Returns how many. */
unsigned connections_cut(struct connections *c, uint64_t limit_us);
