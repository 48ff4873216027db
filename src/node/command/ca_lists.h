/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's commands by which the network's CA, whose key no node has, revokes: revocation tells what it adds to, take_revoked takes
 * what it signed. docs/PROTOCOL.md §11. Control thread. */

#include <jansson.h>

struct api_call;
struct rosters;

void ca_lists_tell(const struct rosters *r, const json_t *request, struct api_call *call);
void ca_lists_take(struct rosters *r, const json_t *request, struct api_call *call);
