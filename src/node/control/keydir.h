/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's key at its start, and what is said when there is none to be had. */

#include "base/err.h"
#include <stdbool.h>

struct identity;

/* Loads DIR/node.key; where there is none, makes a key that lies in memory alone (*made). Whatever is wrong is
 * told, with what to do. */
int keydir_load(const char *dir, struct identity **out, bool *made) must_check;

/* Writes a key that was made, and tells where. The last step of a start that can fail: a start that fails
 * leaves no key behind. */
int keydir_keep(const struct identity *identity, const char *dir) must_check;
