/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* When an uplink that ended is made anew. Pure functions. */

#include <stdint.h>

/* After so many failures in a row, the first of which is 0: 1 s, doubled up to 30 s, ±25 % by 32 random bits. */
uint64_t uplink_retry_us(unsigned failures, uint32_t random_bits);

/* When the backbone asked for it: after wait_ms, which is taken for a minute if it is more, and up to as much again. */
uint64_t uplink_retry_asked_us(uint32_t wait_ms, uint32_t random_bits);

/* When another process with our key has taken the uplink: 30 s to 60 s, so that the two do not throw each other out for
 * ever. */
uint64_t uplink_retry_replaced_us(uint32_t random_bits);
