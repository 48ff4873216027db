/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is done by uplinks, and how little their backbones are believed. */

#include <stdbool.h>
#include <stdint.h>

struct link;
struct mesh;
struct peer;
struct target;

/* p's links have changed: the backbones are told whether we exchange datagrams with it. */
void mesh_update_pairs(struct mesh *m, struct peer *p);

/* What misses answers by an uplink may be missed by whatever goes by it. Where there is another way out, that is looked into. */
void mesh_doubt_uplinks(struct mesh *m, const struct peer *p, uint64_t now_us);

/* Whether a stream there may be opened now: by an uplink so many a second. */
bool mesh_may_open(struct mesh *m, const struct target *to, uint64_t now_us);

/* Whether to let a stream in that came by an uplink. known: mesh_expects(m, from). */
bool mesh_welcomes(struct mesh *m, const struct target *from, bool known, uint64_t now_us);

/* Who was identified on l is who its backbone said it is, if it came by one; or whose session it came over. */
bool mesh_is_as_told(const struct link *l);
