/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The thread of the directory and its store: what others want of them is an errand, done in the order in which it was given.
 * It waits for what the store waits for, and never for an answer. So a slow store, or a slow disk, holds up no other
 * thread. */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define DESK_ERRANDS_MAX 2048 /* that were not begun yet */

struct desk;
struct store;

/* The giver's, until it is run. */
struct errand {
    struct errand *next;
    void (*run)(void *context);
    void *context;
};

struct desk_config {
    struct store *store; /* borrowed until desk_close */
    /* Called at each turn; returns when it is to be called again, at the latest. NULL is allowed. */
    uint64_t (*turn)(void *context, uint64_t now_us, uint64_t now_s);
    void *context;
};

int desk_start(const struct desk_config *config, struct desk **out) must_check;

/* Any thread. False when too many wait, or when the desk is closed. */
bool desk_give(struct desk *d, struct errand *e) must_check;
/* Any thread: the next turn is now. */
void desk_wake(struct desk *d);

/* Does what was given, and ends the thread; nothing is taken any more. The two of others stay allowed until desk_free.
 * NULL is allowed, here and there. */
void desk_close(struct desk *d);
void desk_free(struct desk *d);
