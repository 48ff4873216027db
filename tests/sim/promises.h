/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* How much room for outputs the mesh has promised. Looks into the mesh's memory. */

#include <stddef.h>

struct mesh;

size_t promises(const struct mesh *m);
