/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Max-min fair shares. Any thread. */

#include <stdint.h>

/* Who of a set comes behind at, the first for NULL, and how much it wants; NULL behind the last. */
typedef const void *(*fair_next)(const void *set, const void *at, uint64_t *wanted);

/* The level to which the heaviest are lowered so that all together get no more than capacity: who wants less keeps what it
 * wants. 0 when nobody wants anything. */
uint64_t fair_level(const void *set, fair_next next, uint64_t capacity);
