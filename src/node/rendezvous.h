/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's dealings with the backbone over HTTP: registers the signed record, refreshes it at half-life,
 * looks up ids. Requests run on libuv's thread pool with libcurl; results arrive on the control thread.
 * Retries with back-off and jitter (0.25 s to 15 s, at once when asked), logging the first failure, changes
 * of cause, and recovery. */

#include "base/err.h"
#include "base/id.h"
#include "crypto/identity.h"
#include "proto/record.h"
#include <stdbool.h>
#include <uv.h>

struct rendezvous;

struct rendezvous_config {
    uv_loop_t *loop;
    const char *url; /* borrowed while the rendezvous lives */
    const struct identity *me;
    /* Fills candidates, name, network and is_public of our record; the rest is set by rendezvous. */
    void (*describe)(void *context, struct record *record);
    /* A verified record of an id that was asked for. */
    void (*found)(void *context, const struct record *record);
    /* The backbone became reachable or went away. udp is the address for STUN requests (the URL's host and
     * port, resolved), family 0 when unreachable. */
    void (*state)(void *context, bool reachable, const struct addr *udp);
    void *context;
};

int rendezvous_new(const struct rendezvous_config *config, struct rendezvous **out) must_check;

/* Begins; and stops: unregisters nothing (the record expires), cancels requests. The memory is released once
 * the loop has closed its handles. */
void rendezvous_start(struct rendezvous *r);
void rendezvous_close(struct rendezvous *r);

/* Our description changed: register anew soon (coalesced over 200 ms). */
void rendezvous_changed(struct rendezvous *r);

/* Look id up, now and again until rendezvous_forget: every 1 s for the first 10 s, then up to every 15 s with
 * jitter. */
void rendezvous_want(struct rendezvous *r, const struct node_id *id);
void rendezvous_forget(struct rendezvous *r, const struct node_id *id);
