/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A full mesh: whom we admit we dial, too, one after the other. Of each pair one dials; the other leaves it to it for a while. */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct mesh;
struct peer;

/* p is on the list of those that we admit. Nothing where we are in no full mesh, or dial it anyway. ERR_NOMEM. */
int mesh_member_join(struct mesh *m, struct peer *p) must_check;
/* It is dialled without turns from now on, or not at all. */
void mesh_member_leave(struct mesh *m, struct peer *p);

/* Whether p is dialled in its turn alone; nothing happens in the following functions to one that is not. */
bool mesh_takes_turns(const struct peer *p);

/* A stream to it opened; it has a session, which it opened or we; it has none any more; a round of its addresses failed. */
void mesh_member_answered(struct mesh *m, struct peer *p, uint64_t now_us);
void mesh_member_live(struct mesh *m, struct peer *p, bool it_dialled, uint64_t now_us);
void mesh_member_lost(struct mesh *m, struct peer *p, uint64_t now_us);
void mesh_member_failed(struct mesh *m, struct peer *p, uint64_t now_us);

/* There is news of where it is; the directory has none; the ways to all have changed. */
void mesh_member_news(struct mesh *m, struct peer *p, uint64_t now_us);
void mesh_member_unknown(struct mesh *m, struct peer *p);
void mesh_member_hurry(struct mesh *m, struct peer *p, uint64_t now_us);

/* Whether news of where p is would be of use now: of a member once the directory is asked for it, or a round has failed. */
bool mesh_member_is_sought(const struct peer *p);

/* Turns begin whose time has come. */
void mesh_tick_members(struct mesh *m, uint64_t now_us);

/* Why it is not dialled now; empty when it is. */
const char *mesh_describe_turn(const struct mesh *m, const struct peer *p);
