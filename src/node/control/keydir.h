/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's key at its start, and what is said when there is none to be had. */

#include "base/err.h"
#include <stdbool.h>

struct identity;
struct key_draft;

/* Loads DIR/node.key; where there is none, makes a key that lies in memory alone (*made). Whatever is wrong is
 * told, with what to do. */
int keydir_load(const char *dir, struct identity **out, bool *made) must_check;

/* Says the id of a key that is on disk. False when nobody can read it, which is told. */
bool keydir_say_id(const struct identity *identity);

/* Writes a key that was made, and tells where. */
int keydir_keep(const struct identity *identity, const char *dir) must_check;

/* The same in two steps: the first before the cage, the second when nothing of the start can fail any more. A start
 * that fails in between drops the draft (key_draft.h). */
int keydir_draft(const struct identity *identity, const char *dir, struct key_draft *out) must_check;
int keydir_keep_draft(struct key_draft *draft, const char *dir) must_check;
