/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's command `leave`: an issuer is asked to shut this node's key out. docs/PROTOCOL.md §11. Control thread. */

struct api_call;
struct rosters;

/* To be called again until its state is no longer "asked". */
void leaving_ask(struct rosters *r, struct api_call *call);
