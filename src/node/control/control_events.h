/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What others tell a running node: streams, backbones, workers, the machine. Control thread. */

#include "node/backbones/backbones.h"
#include "node/carrier/streams.h"

struct link_work;
struct nat_watch_config;
struct node;
struct portmap_config;
struct record;
struct draw_config;
struct shim_config;
struct shim_machine;
struct survey_config;

/* Streams' events go into the mesh. */
struct streams_events control_events_of_streams(struct node *n);

/* A trunk has ended by itself. context is the node. */
void control_events_trunk_closed(void *context, uint64_t conn, const char *reason);

/* Those of backbones, too. */
struct backbones_events control_events_of_backbones(struct node *n);

/* What our record says. A record that was not to be believed. context is the node. */
void control_events_describe(void *context, struct record *record);
void control_events_refused(void *context);

/* A handshake's work is done. context is the node. */
void control_events_worked(void *context, struct link_work *work);

/* What the router maps is another address now: fills the callback. */
void control_events_of_portmap(struct node *n, struct portmap_config *out);

/* A worker has events: for any thread; context is the node. */
void control_events_wake(void *context);

/* Takes some of those that wait; the rest in the next turn of the loop. */
void control_events_of_workers(struct node *n);

/* Where the STUN server i of -stun is. context is the node. */
void control_events_stun_found(void *context, unsigned i, const struct addr *list, unsigned count);

/* What looks at our NAT asks a STUN server of ours, and tells the mesh. */
void control_events_of_survey(struct node *n, struct survey_config *out);
/* What is met by its many sockets is the mesh's to judge, and then the workers'. */
void control_events_of_draw(struct node *n, struct draw_config *out);
/* What watches the NATs asks our STUN servers, and tells addresses. */
void control_events_of_nat_watch(struct node *n, struct nat_watch_config *out);

/* What stands in for a link layer tells of another machine with an address of ours: fills the callback. */
void control_events_of_shim(struct node *n, struct shim_config *out);
/* What it needs to know of the machine. */
void control_events_machine(const struct node *n, struct shim_machine *out);

/* The machine was resumed from a snapshot. context is the node. */
void control_events_resumed(void *context);
