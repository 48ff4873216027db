/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* From the TAP to peers. */

#include "base/err.h"

struct worker;

/* Moves a bounded number of frames. ERR_IO when the TAP is gone. */
int worker_out_round(struct worker *w) must_check;

/* Sends the frames that the control thread handed in. */
void worker_out_injected(struct worker *w);
