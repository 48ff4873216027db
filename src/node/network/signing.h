/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An issuer's own list of revoked keys: signed anew each hour, though nothing is new, so that members see how fresh it is.
 * Control thread. docs/PROTOCOL.md §24. */

#include <stdbool.h>
#include <stdint.h>

struct identity;
struct rolls;

#define SIGNING_PERIOD_S 3600
#define SIGNING_HEAR_S   30 /* from the start, in which peers may bring a newer list of ours than is on disk */

/* What is signed, and by whom: borrowed. All zero but for them. */
struct signing {
    struct rolls *rolls;
    const struct identity *me;
    uint64_t first_s; /* seconds since 1970: when it was first asked; 0: never */
    bool told;        /* that it could not be signed */
};

/* To be called now and then; the rolls change by it. Nothing happens where we are no issuer. */
void signing_tick(struct signing *s, uint64_t now_s);
