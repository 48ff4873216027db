/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whom a running node dials and admits, after its -connect and -allow were read again. What commands changed meanwhile
 * (lists.h) stays, unless a flag that is new says the same. Control thread. */

#include "base/err.h"
#include <jansson.h>

struct config;
struct lists;

/* Makes the mesh follow fresh where that differs from l->config, which stays as it is. Appends {"flag", "id", "change"} to
 * changes for each: "added", "removed", or "moved" to another host. On an error nothing has changed, and flag is the one
 * that cannot be followed. ERR_EXISTS when it names this node, ERR_SPACE, ERR_NOMEM. */
int relist(const struct lists *l, const struct config *fresh, json_t *changes, const char **flag) must_check;
