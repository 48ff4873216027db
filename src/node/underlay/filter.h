/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The mesh's filter of addresses, which knows this machine by its device. Control thread. */

#include "proto/mesh/mesh.h"

struct addresses;
struct config;
struct device;

struct filter {
    const struct config *config;       /* our ports */
    const struct device *device;       /* our interfaces, and what leads into the tunnel */
    const struct addresses *addresses; /* where we are seen */
};

/* Borrows f, while the mesh lives. */
struct mesh_filter filter_of(const struct filter *f);
