/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Open HTTP connections and how long each has kept us waiting. libmicrohttpd's timeout starts anew with every
 * byte, so a sender of one byte now and then would hold its place for ever; here only a finished request
 * counts. Any thread. */

#include "base/err.h"
#include <stdint.h>

struct connections;
struct connection;

int connections_new(unsigned max, struct connections **out) must_check;
void connections_free(struct connections *c);

/* A connection begins on fd; NULL when there are max already. The caller removes it before fd is closed. */
struct connection *connections_add(struct connections *c, int fd, uint64_t now_us);

/* A request was answered whole. NULL is allowed, here and in remove. */
void connections_served(struct connections *c, struct connection *one, uint64_t now_us);
void connections_remove(struct connections *c, struct connection *one);

/* Shuts down those that have been waiting since before limit_us; their owner then sees the end of the stream.
 * Returns how many. */
unsigned connections_cut(struct connections *c, uint64_t limit_us);
