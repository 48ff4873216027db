/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From peers to the TAP. */

#include <stdbool.h>

struct worker;

/* Receives and delivers one batch of datagrams. True when a frame reached the TAP. */
bool worker_in_round(struct worker *w);
