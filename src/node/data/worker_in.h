/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From peers to the TAP. */

#include "base/err.h"
#include "proto/path/endpoint.h"
#include <stdbool.h>

struct worker;

/* Receives and delivers one batch of datagrams of the port's socket, or of a side socket, by its number, if it is still there. True
 * when a frame reached the TAP. */
bool worker_in_round(struct worker *w, uint8_t side);

/* Likewise what came by a channel (carrier.h); whether a frame reached the TAP is in *delivered. ERR_CLOSED
 * when the channel is gone. */
int worker_channel_round(struct worker *w, unsigned channel, bool *delivered) must_check;
