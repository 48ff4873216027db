/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Allocations that fail, one at a time: the linker puts the functions of failing_memory.c in place of the allocator's, for
 * our own code (failing_memory_dep in tests/meson.build). What OpenSSL allocates is counted apart. */

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum memory_source { MEMORY_OURS, MEMORY_LIBRARY, MEMORY_SOURCES };

/* May be shared with the process that it is for. */
struct failing_memory {
    _Atomic bool armed;
    _Atomic unsigned long counted[MEMORY_SOURCES]; /* since it was armed */
    _Atomic unsigned long at[MEMORY_SOURCES];      /* this one fails; 0: none */
    pid_t owner;                                   /* only its allocations: no child's, no helper's */
};

/* From now on m says which allocation of this process fails. */
void memory_use(struct failing_memory *m);

/* The at-th of source from now on fails; 0: they are only counted. */
void memory_arm(struct failing_memory *m, enum memory_source source, unsigned long at);

/* True when one has failed since. */
bool memory_disarm(struct failing_memory *m, enum memory_source source);
