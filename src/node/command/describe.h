/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Peers and their parts as the API's answers show them. The JSON is a promise to scripts: it only grows.
 * docs/PROTOCOL.md §11. The caller owns what is returned. */

#include <jansson.h>
#include <stdint.h>

struct addr;
struct mesh_peer;
struct node_id;
struct path;

json_t *describe_id(const struct node_id *id);
json_t *describe_addr(const struct addr *a); /* null: of no family */
/* backbone is the URL of the one that uplinks lead to. null: there is no path. */
json_t *describe_path(const struct path *path, const char *backbone);
json_t *describe_peer(const struct mesh_peer *peer, const char *backbone, uint64_t now_us);
