/* SPDX-License-Identifier: Apache-2.0 */
#include "nat_kinds.h"

#include "base/clock.h"

#define FORGET_US (30 * USEC_PER_SEC)

const struct nat_kind nat_kinds[NAT_KINDS] = {
    {.name = "full cone", .expiry_us = FORGET_US},
    {.name = "address-restricted", .filter = NAT_BY_ADDRESS, .expiry_us = FORGET_US},
    {.name = "port-restricted", .filter = NAT_BY_PORT, .expiry_us = FORGET_US},
    {.name = "port-restricted, unguarded", .filter = NAT_BY_PORT, .unguarded = true, .expiry_us = FORGET_US},
    {.name = "port-restricted, random", .filter = NAT_BY_PORT, .numbers = NAT_RANDOM, .expiry_us = FORGET_US},
    {.name = "symmetric, sequential",
     .mapping = NAT_BY_PORT,
     .filter = NAT_BY_PORT,
     .numbers = NAT_SEQUENCE,
     .expiry_us = FORGET_US},
    {.name = "symmetric, sequential, unguarded",
     .mapping = NAT_BY_PORT,
     .filter = NAT_BY_PORT,
     .numbers = NAT_SEQUENCE,
     .unguarded = true,
     .expiry_us = FORGET_US},
    {.name = "by address, sequential",
     .mapping = NAT_BY_ADDRESS,
     .filter = NAT_BY_ADDRESS,
     .numbers = NAT_SEQUENCE,
     .expiry_us = FORGET_US},
    {.name = "by address, random",
     .mapping = NAT_BY_ADDRESS,
     .filter = NAT_BY_PORT,
     .numbers = NAT_RANDOM,
     .expiry_us = FORGET_US},
    {.name = "symmetric, random",
     .mapping = NAT_BY_PORT,
     .filter = NAT_BY_PORT,
     .numbers = NAT_RANDOM,
     .expiry_us = FORGET_US},
    {.name = "symmetric, random, open",
     .mapping = NAT_BY_PORT,
     .numbers = NAT_RANDOM,
     .expiry_us = FORGET_US},
};
