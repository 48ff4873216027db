/* SPDX-License-Identifier: Apache-2.0 */
#include "promises.h"

#include "proto/mesh/mesh_state.h"

size_t promises(const struct mesh *m)
{
    return m->outputs.promised;
}
