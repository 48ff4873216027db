/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a worker does with a CONTROL or PROBE datagram: opens it, in place, and hands it to the mesh. */

#include "proto/mesh/mesh.h"

/* As mesh_on_opened, or why it was not opened. */
enum drop control_datagram(struct mesh *m, const struct endpoint *from, uint8_t *data, size_t len,
                           uint64_t now_us);
