/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whom we admit. */

#include <stdbool.h>

struct mesh;
struct peer;

/* p NULL: one that is on no list. */
bool mesh_admits(const struct mesh *m, const struct peer *p);
