/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a running member knows of its network's signers: the rolls, on disk and in the mesh; and, on an issuer, what it signs
 * itself. Control thread. docs/PROTOCOL.md §27. */

#include "base/bytes.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct identity;
struct ledger;
struct membership;
struct mesh;
struct node_id;
struct registry;
struct rolls;

struct registry_config {
    uv_loop_t *loop;
    const char *keydir;
    const struct identity *me;
    const struct membership *membership;
    struct slice own_issuer; /* our certificate as an issuer; empty: we are none */
};

/* Reads what is on disk. All is borrowed until registry_close, but for keydir and own_issuer. Before the cage. An error was told. */
int registry_open(const struct registry_config *config, uint64_t now_us, struct registry **out) must_check;
/* While the loop still runs: nothing is written any more. Then, once the mesh is gone, close it. NULL is allowed. */
void registry_stop(struct registry *r);
void registry_close(struct registry *r);

/* For the mesh. */
struct rolls *registry_rolls(const struct registry *r);

/* Once a second: what is due is signed, what has changed is acted upon and written. */
void registry_tick(struct registry *r, struct mesh *m, uint64_t now_us);

/* As an issuer: these are our members, but for those that have expired. Errors as rolls_publish. */
int registry_publish(struct registry *r, const struct ledger *ledger, uint64_t now_us) must_check;

/* True when the newest list of revoked keys is old: text says so to a person. */
bool registry_is_old(const struct registry *r, uint64_t now_us, char *text, size_t size);

/* What time it is by what its members go by. */
uint64_t registry_now(const struct registry *r, uint64_t now_us);

/* Whether we may sign. */
bool registry_signs(const struct registry *r);
/* As an issuer: id is shut out from now on. Errors as rolls_revoke. */
int registry_revoke(struct registry *r, struct mesh *m, const struct node_id *id, uint64_t now_us) must_check;
