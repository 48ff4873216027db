/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How long something takes that is repeated many times. The fastest time is what the processor can do; the
 * median is what it does here, where others share its core, its clock and its caches. */

#include <stdlib.h>
#include <time.h>

struct timing {
    double median, fastest;
};

static inline double timing_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int timing_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of count > 0 times, which it sorts. */
static inline struct timing timing_of(double *took, size_t count)
{
    qsort(took, count, sizeof(*took), timing_compare);
    return (struct timing){took[count / 2], took[0]};
}
