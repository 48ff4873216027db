/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks. Any thread; both calls are served by the vDSO. */

#include "base/clock.h"

#include <time.h>

uint64_t clock_monotonic_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_unix_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec;
}
