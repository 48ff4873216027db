/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Peers and their parts as the API's answers show them. The JSON is a promise to scripts: it only grows.
 * docs/PROTOCOL.md §11. The caller owns what is returned. */

#include <jansson.h>
#include <stdint.h>

struct addr;
struct backbones;
struct device;
struct mesh_peer;
struct node_id;
struct path;
struct portmap;

json_t *describe_id(const struct node_id *id);
json_t *describe_addr(const struct addr *a); /* null: of no family */
/* backbones has the URLs of those that uplinks lead to, device the names of interfaces. null: there is no path. */
json_t *describe_path(const struct path *path, const struct backbones *backbones,
                      const struct device *device);
json_t *describe_peer(const struct mesh_peer *peer, const struct backbones *backbones,
                      const struct device *device, uint64_t now_us);

/* null: p is NULL. Without a router to ask the list is empty. */
json_t *describe_mappings(const struct portmap *p);
