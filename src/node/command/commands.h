/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which commands the API has, and who may give them. docs/PROTOCOL.md §11, docs/HACKING.md. Control thread. */

#include "node/command/invites.h"
#include "node/command/lists.h"
#include "node/command/rosters.h"
#include "node/command/status.h"

struct checks;
struct pings;
struct reloads;
struct switch_table;

/* What carries them out; all borrowed. */
struct commands {
    struct status status;
    struct lists lists;
    struct rosters rosters;
    struct invites invites;
    struct pings *pings;
    struct checks *checks;
    struct reloads *reloads;
    struct switch_table *sw;
};

/* api_config.handle: context is the commands. */
void commands_handle(void *context, const char *command, const json_t *request, struct api_call *call);
