/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What links compute for long (proto/link/link_work.h), done on libuv's thread pool: some at once, the others in order,
 * strangers' last. Nothing waits for more than what runs, which takes milliseconds. Control thread. */

#include "base/err.h"
#include <stdbool.h>
#include <uv.h>

#define HANDSHAKE_POOL_THREADS 2 /* of libuv; made behind the cage */

struct handshake_pool;
struct link_work;

/* done gets each work back, done or not: from the loop, or from within a call of the functions below. Before the process
 * has a second thread, and before libuv's pool has had anything to do. */
int handshake_pool_new(uv_loop_t *loop, void (*done)(void *context, struct link_work *work), void *context,
                       struct handshake_pool **out) must_check;

/* Takes work. */
void handshake_pool_add(struct handshake_pool *p, struct link_work *work, bool stranger);

/* Gives back what has not begun; what runs needs the loop until it is done. p is gone. NULL is allowed. */
void handshake_pool_close(struct handshake_pool *p);
