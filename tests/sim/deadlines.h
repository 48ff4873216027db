/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct mesh;

/* Asserts that no peer of m is due sooner than m knows, by a walk over all of them. */
void check_deadlines(struct mesh *m, uint64_t now_us);
