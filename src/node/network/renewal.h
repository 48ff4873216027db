/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* This node's certificate is renewed from half its life on, by any issuer; an issuer's node renews its own itself. What comes is
 * on disk before it is used. docs/PROTOCOL.md §26. Control thread. */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct identity;
struct issuer;
struct membership;
struct mesh;
struct renewal;
struct rolls;

/* All borrowed. */
struct renewal_config {
    const char *network; /* its name */
    int keydir;          /* as folder_open opened it */
    const struct identity *me;
    struct membership *membership;
    const struct rolls *rolls; /* where other issuers stand; NULL: those that were met are asked */
    struct mesh *mesh;
};

int renewal_open(const struct renewal_config *config, struct renewal **out) must_check;
void renewal_close(struct renewal *r); /* NULL is allowed; before the mesh is freed */

/* Once a second. issuer is this node's, as which it may have been promoted meanwhile; NULL: it is none. */
void renewal_tick(struct renewal *r, struct issuer *issuer, uint64_t now_us);

/* MESH_OUTPUT_ASKED. */
void renewal_on_asked(struct renewal *r, uint64_t now_us);

/* Why it is not renewed though it is time, for people; empty where nothing is wrong. Borrowed. */
const char *renewal_text(const struct renewal *r);
