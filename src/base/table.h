/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A hash table from 64-bit numbers to borrowed pointers, open addressing with linear probing. One thread. */

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

struct table;

int table_new(struct table **out) must_check;
void table_free(struct table *t);

/* Adds or replaces; value is not NULL. ERR_NOMEM leaves the table as it was. */
int table_put(struct table *t, uint64_t key, void *value) must_check;

/* NULL when there is none. */
void *table_get(const struct table *t, uint64_t key);

/* Visits each value; the table must not change meanwhile. */
void table_each(const struct table *t, void (*visit)(void *context, void *value), void *context);

/* The value that was removed, or NULL. */
void *table_remove(struct table *t, uint64_t key);
