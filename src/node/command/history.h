/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's command log: what became of our network's members, as an issuer's node has it. docs/PROTOCOL.md §11, §29. Control
 * thread. */

struct api_call;
struct rosters;

void history_list(const struct rosters *r, struct api_call *call);
