/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An issuer's log of its network's members, in KEYDIR/changes: what it did itself, with who asked for it, and what other issuers
 * signed. Control thread. docs/PROTOCOL.md §29. */

#include "base/err.h"
#include "proto/network/changes.h"
#include <stdint.h>

#define CHANGE_LOG_FILE "changes"

struct change_log;
struct rolls;

/* Borrowed. */
struct change_log_config {
    int keydir; /* as folder_open opened it */
    const struct node_id *me;
    const struct rolls *rolls;
};

/* Reads what is on disk; where there is nothing, who is a member now has joined. A file that is damaged is told of, and begun
 * anew. ERR_NOMEM. */
int change_log_open(const struct change_log_config *config, struct change_log **out) must_check;
/* What is not on disk yet is written. NULL is allowed. */
void change_log_close(struct change_log *l);

/* We did that, for a member whose certificate ends then (0: it has none any more). by may be empty. l may be NULL: nothing. */
void change_log_note(struct change_log *l, enum change_kind kind, const struct node_id *id, const char *name,
                     uint64_t until, const char *by, uint64_t now_s);

/* Once a second: what others signed is noted, and all is written, a while later. */
void change_log_tick(struct change_log *l, uint64_t now_s, uint64_t now_us);

const struct changes *change_log_changes(const struct change_log *l);
