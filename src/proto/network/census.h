/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Who the members and issuers were when the rolls were last looked at: what differs since then is a change for the log, whoever
 * signed it. Pure; control thread. docs/PROTOCOL.md §29. */

#include "base/err.h"
#include <stdint.h>

struct census;
struct changes;
struct rolls;

/* Of nobody. ERR_NOMEM; the caller frees *out. */
int census_new(struct census **out) must_check;
void census_free(struct census *c); /* NULL is allowed */

/* Takes rolls as they are; what differs from the last time is put into log, unless it stands there. log NULL: it is put nowhere.
 * Without memory it is looked at again the next time. O(members) when the rolls have changed. */
void census_take(struct census *c, const struct rolls *rolls, struct changes *log, uint64_t now_s);
