/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where workers rebuild fragmented frames: one table per lane, shared by all workers of a node, so that parts
 * of a frame meet whichever worker received them. */

#include "base/err.h"

struct fragment_table;
struct reassembly;

/* Peers' lanes are taken modulo `lanes`. ERR_NOMEM. The caller frees *out after the last worker. */
int reassembly_new(unsigned lanes, struct reassembly **out) must_check;
void reassembly_free(struct reassembly *r); /* NULL is allowed */

/* The lane's table, the caller's alone until reassembly_leave; waits while another worker has it, which is
 * rare. What fragment_add returns from it must be used before. */
struct fragment_table *reassembly_enter(struct reassembly *r, unsigned lane);
void reassembly_leave(struct reassembly *r, unsigned lane);
