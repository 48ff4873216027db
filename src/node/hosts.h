/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The hosts at which a person told us to dial peers: addresses, or names, which are looked up. Control thread. */

#include "base/err.h"
#include "base/id.h"

struct config_connect;
struct node;

#define HOSTS_PER_PEER 8

/* One more host of a peer; one that it has already is no error. The mesh learns its addresses, now or once they are found.
 * ERR_SPACE, ERR_NOMEM. */
int hosts_add(struct node *n, const struct config_connect *connect) must_check;

/* All hosts of a peer. */
void hosts_remove(struct node *n, const struct node_id *id);

/* Names may have come to mean other addresses: those of peers that are not connected are looked up
 * anew, when that is due. */
void hosts_tick(struct node *n);

/* Names that failed are looked up anew at the next tick. */
void hosts_forget_failures(struct node *n);

/* Once the loop has run out. */
void hosts_free(struct node *n);
