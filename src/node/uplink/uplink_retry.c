/* SPDX-License-Identifier: Apache-2.0 */
#include "node/uplink/uplink_retry.h"

#include "base/clock.h"

#define FIRST_US    USEC_PER_SEC
#define MAX_US      (30 * USEC_PER_SEC)
#define ASKED_MAX   60000 /* ms */
#define REPLACED_US (30 * USEC_PER_SEC)

/* A random part of us. */
static uint64_t part_of(uint64_t us, uint32_t random_bits)
{
    return us * (random_bits >> 16) / 65535;
}

uint64_t uplink_retry_us(unsigned failures, uint32_t random_bits)
{
    uint64_t us = failures < 5 ? FIRST_US << failures : MAX_US;
    return us - us / 4 + part_of(us / 2, random_bits);
}

uint64_t uplink_retry_asked_us(uint32_t wait_ms, uint32_t random_bits)
{
    uint64_t us = (wait_ms < ASKED_MAX ? wait_ms : ASKED_MAX) * USEC_PER_MSEC;
    return us + part_of(us, random_bits);
}

uint64_t uplink_retry_replaced_us(uint32_t random_bits)
{
    return REPLACED_US + part_of(REPLACED_US, random_bits);
}
