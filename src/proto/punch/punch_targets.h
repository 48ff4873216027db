/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where a round of punching sends to, and what the other side is told for it. docs/PROTOCOL.md §19. Pure; control thread. */

#include "proto/punch/punch.h"

/* What we say of ourselves in the round that runs: those of our candidates that others may reach, as we are seen first. */
void punch_offer_make(const struct punch *p, const struct candidate *ours, unsigned count,
                      struct punch_offer *out);

/* Where the peer may be: first the ports that its next mappings may have, *guessed of them, in their order. */
unsigned punch_targets(const struct punch *p, struct addr out[PUNCH_TARGETS_MAX], unsigned *guessed);
