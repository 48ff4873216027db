/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where workers rebuild fragmented frames: one table for the lanes that are steered to a worker, but open to
 * all workers of a node, so that parts of a frame meet whichever worker received them. */

#include "base/err.h"

struct fragment_table;
struct reassembly;

/* ERR_NOMEM. The caller frees *out after the last worker. */
int reassembly_new(unsigned workers, struct reassembly **out) must_check;
void reassembly_free(struct reassembly *r); /* NULL is allowed */

/* The table of a worker's lanes, the caller's alone until reassembly_leave; waits while another worker has it,
 * which is rare. What fragment_add returns from it must be used before. */
struct fragment_table *reassembly_enter(struct reassembly *r, unsigned worker);
void reassembly_leave(struct reassembly *r, unsigned worker);
