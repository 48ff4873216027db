/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a running node takes from its network: name, addresses, and what it is told while it joins. Control thread. */

#include <stdbool.h>
#include <stdint.h>

struct node;
struct node_id;

/* Each without -network: nothing, and true. False: the log was told.
 *
 * The network's files are read. Before anything is opened. */
bool control_network_open(struct node *n);

/* The device has the addresses that the certificate says, unless -tap-ip says another. */
bool control_network_give(struct node *n);

/* All is there that joining needs. */
bool control_network_begin(struct node *n);

/* Once a second, on a member: the CA may have made this node an issuer, and an issuer keeps its log. */
void control_network_tick(struct node *n, uint64_t now_us);

/* MESH_OUTPUT_ASKED. */
void control_network_on_asked(struct node *n);

/* MESH_OUTPUT_LEAVE: where this node is an issuer, the member's key is shut out, and its name is free. */
void control_network_on_leave(struct node *n, const struct node_id *id);
