/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Channels in which this node asks for a certificate, and those in which it gives one. */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct entry;
struct link;
struct mesh;
struct peer;

/* Whether l, whose peer has proved its id, is there to ask: then it is not greeted. */
bool mesh_begin_asking(struct mesh *m, struct link *l);

/* It has come further, or to its end. False: l is gone. */
bool mesh_on_asked(struct mesh *m, struct link *l, uint64_t now_us);

/* Where we are an issuer, who joins or renews on l is answered. */
int mesh_serve(const struct mesh *m, const struct link *l, struct entry *e) must_check;
