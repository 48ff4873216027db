/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Counts instructions: a child process is led through what is to be measured one instruction at a time. Needs no counter of
 * the processor's, and the rest runs at full speed. */

#include <stddef.h>
#include <stdint.h>

/* Runs scenario in a child. out gets what it spent between each steps_begin and steps_end, in order; a measurement
 * that is longer than most instructions ends it. Returns how many measurements were finished, or -1 when the child failed. */
int steps_run(void (*scenario)(void *context), void *context, uint64_t most, uint64_t *out, size_t cap);

/* In the scenario. */
void steps_begin(void);
void steps_end(void);
