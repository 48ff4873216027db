/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Clocks, read only by node, backbone and cli, and by crypto once, to time its ciphers; proto takes `now` as
 * an argument. */

#include <stdint.h>

#define USEC_PER_SEC  1000000ull
#define USEC_PER_MSEC 1000ull
#define TIME_NEVER    UINT64_MAX

/* Microseconds of CLOCK_BOOTTIME, which never steps, and counts the time in which the machine sleeps, as peers do: every `now`
 * in this program. */
uint64_t clock_monotonic_us(void);

/* Nanoseconds of CPU that the calling thread has used: what a computation costs whatever else runs. */
uint64_t clock_thread_ns(void);

/* Seconds since 1970 of CLOCK_REALTIME: only for expiry dates in signed records. */
uint64_t clock_unix_s(void);
