/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* When the mesh has to look at a peer next. */

#include <stdint.h>

struct peer;

/* Never 0. */
uint64_t mesh_peer_deadline(const struct peer *p, uint64_t now_us);
