/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Members of our network: who enters by a certificate, and until when. */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct link;
struct mesh;
struct peer;

/* Whether p, or whoever is no peer yet (NULL), may come: by our lists, or by a certificate that it has to show. */
bool mesh_may_enter(const struct mesh *m, const struct peer *p);

/* In a network, l has an entry from here on: peers of our lists need no certificate, others (NULL: a stranger) do. ERR_NOMEM. */
int mesh_begin_entry(struct mesh *m, struct link *l, const struct peer *p) must_check;
/* Whether l's peer has to show a certificate first. */
bool mesh_awaits_entry(const struct link *l);

/* Ours, in a network, before HELLO. */
void mesh_say_member(struct mesh *m, struct link *l);

/* What admitted l's peer is kept. */
void mesh_keep_certificate(struct mesh *m, const struct link *l);

/* l has become a session: its peer has seen ours. */
void mesh_note_shown(const struct mesh *m, const struct link *l);
/* Ours was renewed: who has a session by the older one sees the newer in time. */
void mesh_show_anew(struct mesh *m, uint64_t now_us);

/* Its certificate does not hold, or there is none: l is gone then. */
void mesh_on_unfit(struct mesh *m, struct link *l);

/* l ends because of what its peer said, or did not say, before it was admitted: told. */
void mesh_note_unentered(struct mesh *m, const struct link *l, const char *why);

/* The session of a certificate whose time is over ends; when that is. */
void mesh_tick_certificate(struct mesh *m, struct peer *p, uint64_t now_us);
uint64_t mesh_certificate_deadline(const struct peer *p);
