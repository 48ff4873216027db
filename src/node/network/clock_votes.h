/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whether this machine's clock is off, by those of others: more than half of them have to say so, on one side. A peer may say
 * whatever it likes; a person is told, and nothing else follows. Pure; any thread. */

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_VOTES_MAX 64
#define CLOCK_VOTES_OFF 300 /* seconds */

struct clock_votes {
    int64_t ahead_s[CLOCK_VOTES_MAX]; /* each peer's clock before ours */
    unsigned count;
};

/* How far ours is ahead of the true time, in seconds, by the middle one of those that say so; 0: it is not off. *agree: how many
 * say so. Sorts them. */
int64_t clock_votes_off(struct clock_votes *v, unsigned *agree);
