/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How long the rendezvous waits before it asks again. Pure functions; random is any 32 random bits. */

#include <stdint.h>

/* After `failures` failures in a row (at least 1), the first of them elapsed_us ago: 0.25 s, doubled up to 2
 * s in the first minute and up to 15 s later, less up to a fifth, so that many nodes do not come at once. */
uint64_t rendezvous_retry_us(unsigned failures, uint64_t elapsed_us, uint32_t random);

/* Between two looks for an id that is wanted since age_us, one of `wanted`: 1 s in the first 10 s, then 4 s,
 * and never more than 8 requests a second for all ids together; less up to a fifth. */
uint64_t rendezvous_lookup_us(uint64_t age_us, unsigned wanted, uint32_t random);

/* Until the backbone is asked whether it still is there: 7 to 8 s. */
uint64_t rendezvous_check_us(uint32_t random);
