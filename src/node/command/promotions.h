/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's commands by which the network's CA, whose key no node has, makes a member an issuer: promotion tells what it signs,
 * take_issuer takes what it signed, and issuers
 * tells whose certificates it may sign anew. docs/PROTOCOL.md §11. Control thread. */

#include <jansson.h>

struct api_call;
struct rosters;

void promotions_tell(const struct rosters *r, const json_t *request, struct api_call *call);
void promotions_list(const struct rosters *r, struct api_call *call);
void promotions_take(struct rosters *r, const json_t *request, struct api_call *call);
