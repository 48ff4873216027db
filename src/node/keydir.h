/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's key at its start, and what is said when there is none to be had. */

#include "base/err.h"

struct identity;

/* Loads DIR/node.key, or makes it when it is missing. Whatever is wrong is told, with what to do. */
int keydir_load(const char *dir, struct identity **out) must_check;
