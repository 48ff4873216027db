/* SPDX-License-Identifier: Apache-2.0 */
/* The rendezvous's waits. */
#include "node/rendezvous/rendezvous_schedule.h"

#include "base/clock.h"

#define RETRY_FIRST_US     (USEC_PER_SEC / 4)
#define RETRY_EARLY_MAX_US (2 * USEC_PER_SEC)
#define RETRY_EARLY_FOR_US (60 * USEC_PER_SEC)
#define RETRY_MAX_US       (15 * USEC_PER_SEC)
#define LOOKUP_YOUNG_US    USEC_PER_SEC
#define LOOKUP_YOUNG_FOR   (10 * USEC_PER_SEC)
#define LOOKUP_OLD_US      (4 * USEC_PER_SEC)
#define LOOKUP_SPACING_US  (USEC_PER_SEC / 8)
#define CHECK_US           (8 * USEC_PER_SEC)

/* us, less up to one part in `parts`. */
static uint64_t jitter(uint64_t us, unsigned parts, uint32_t random)
{
    return us - (us / parts * random >> 32);
}

uint64_t rendezvous_retry_us(unsigned failures, uint64_t elapsed_us, uint32_t random)
{
    uint64_t max = elapsed_us < RETRY_EARLY_FOR_US ? RETRY_EARLY_MAX_US : RETRY_MAX_US;
    uint64_t us = RETRY_FIRST_US;
    while (--failures > 0 && us < max)
        us *= 2;
    return jitter(us < max ? us : max, 5, random);
}

uint64_t rendezvous_lookup_us(uint64_t age_us, unsigned wanted, uint32_t random)
{
    uint64_t us = age_us < LOOKUP_YOUNG_FOR ? LOOKUP_YOUNG_US : LOOKUP_OLD_US;
    uint64_t least = wanted * LOOKUP_SPACING_US;
    return jitter(us > least ? us : least, 5, random);
}

uint64_t rendezvous_check_us(uint32_t random)
{
    return jitter(CHECK_US, 8, random);
}
