/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one place where sockets towards the mesh are made. They leave by the mesh's device and hear what comes in there, whatever else
 * this machine is connected to. Any thread. */

#include "base/err.h"
#include <stdint.h>

struct mesh_side {
    uint32_t interface; /* the device's index; 0: it is not known yet */
};

/* A socket of that family (4 or 6) and type (SOCK_STREAM, SOCK_DGRAM), which does not block. ERR_IO with errno set. */
int mesh_side_socket(const struct mesh_side *m, unsigned family, int type, int *out) must_check;
