/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Neighbours' addresses and their MACs, as workers look them up for each packet: no lock, and no memory that is given back.
 * What is in it the control thread decides (neigh.h). */

#include "base/addr.h"
#include "base/err.h"
#include "base/random.h"
#include <stdbool.h>
#include <stdint.h>

struct neigh_table;

int neigh_table_new(const struct random_source *random, struct neigh_table **out) must_check;
void neigh_table_free(struct neigh_table *t);

/* The address as a key of 64 bits, under a secret of the table's. Any thread. */
uint64_t neigh_table_key(const struct neigh_table *t, const struct addr *a);

/* Adds a, or gives it another MAC. Where there is no room it is not found, and whoever looks asks the control thread each time.
 * Control thread. */
void neigh_table_set(struct neigh_table *t, const struct addr *a, const uint8_t mac[6]);
void neigh_table_remove(struct neigh_table *t, const struct addr *a);

/* False when it is not there, or changes just now. Any thread. */
bool neigh_table_find(const struct neigh_table *t, const struct addr *a, uint8_t mac[6]);

/* Whether a was looked up, with success, since this was last asked. Control thread. */
bool neigh_table_take_use(struct neigh_table *t, const struct addr *a);
