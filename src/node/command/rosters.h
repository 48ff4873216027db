/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's commands about our network's members: members lists them, revoke shuts one out. docs/PROTOCOL.md §11. Control thread. */

#include <jansson.h>
#include <stdbool.h>

struct api_call;
struct backbones;
struct change_log;
struct device;
struct identity;
struct mesh;
struct network;
struct node_id;
struct registry;

/* What the answers go by; all borrowed. */
struct rosters {
    struct registry *registry;     /* NULL: we are in no network */
    const struct network *network; /* that one */
    struct change_log *changes;    /* an issuer's; NULL: there is none */
    struct mesh *mesh;
    const struct identity *me;
    const struct backbones *backbones;
    const struct device *device;
};

/* Whom a person names: a member by its name, or anybody by the whole id. False: call was told, in the words of verb. */
bool rosters_find(const struct rosters *r, const char *verb, const char *text, struct node_id *id,
                  struct api_call *call);

/* Whether there is a log of members here: only an issuer has one. False: call was told. */
bool rosters_log_is_here(const struct rosters *r, struct api_call *call);

void rosters_list(struct rosters *r, struct api_call *call);
void rosters_revoke(struct rosters *r, const json_t *request, struct api_call *call);
