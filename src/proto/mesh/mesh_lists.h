/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whom we admit. */

#include <stdbool.h>
#include <stdint.h>

struct mesh;
struct peer;

/* By our lists alone, whatever certificate it may have. p NULL: one that is on none. */
bool mesh_admits(const struct mesh *m, const struct peer *p);

/* A person named it: it is admitted without a certificate. */
bool mesh_is_named(const struct peer *p);

/* Nobody dials p any more, nor asks for its addresses. */
void mesh_leave_alone(struct mesh *m, struct peer *p);

/* p is dialled no more, and its session ends: why, as people are told. */
void mesh_shut_out(struct mesh *m, struct peer *p, const char *why, uint64_t now_us);
