/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's commands of an issuer: invite, invites, revoke_invitation, approve. Each change is logged with who asked, and no
 * secret is. docs/PROTOCOL.md §11. Control thread. */

#include <jansson.h>

struct addresses;
struct api_call;
struct config;
struct network;

/* All borrowed. */
struct invites {
    const struct config *config;
    const struct network *network;     /* NULL: the node is in none */
    const struct addresses *addresses; /* where it is reached, for tokens */
};

void invites_make(const struct invites *v, const json_t *request, struct api_call *call);
void invites_list(const struct invites *v, struct api_call *call);
void invites_revoke(const struct invites *v, const json_t *request, struct api_call *call);
void invites_approve(const struct invites *v, const json_t *request, struct api_call *call);
