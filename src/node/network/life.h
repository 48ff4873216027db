/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How far a certificate's life is over, and when a person is told: at 50, 75 and 90 %, and at its end. Pure; any thread.
 * docs/PROTOCOL.md §26. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cert;

#define LIFE_SPAN_MAX 32

/* What of it was told; all zero: nothing. */
struct life {
    unsigned told;
};

/* In per cent, 0 to 100. */
unsigned life_spent(const struct cert *c, uint64_t now_s);

/* Seconds until its end; 0 behind it. */
uint64_t life_left_s(const struct cert *c, uint64_t now_s);

/* Whether there is something to tell, now that so much is spent. Steps that were missed are told as one. */
bool life_is_news(struct life *l, unsigned spent);

/* Whether so much is spent that `status` has it. */
bool life_is_shown(unsigned spent);

/* "12 days", "7 hours", "90 s". Returns out. */
char *life_span(uint64_t seconds, char out[LIFE_SPAN_MAX]);
