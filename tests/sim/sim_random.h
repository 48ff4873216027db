/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* From here on whatever this thread draws at random, keys and TLS included, follows from the seed. Not secret at all. */
void sim_random_seed(uint64_t seed);
