/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a link has to compute for long: a step of TLS's handshake, or the first root. It holds all that it needs, so that it
 * may be done on any one thread, whatever becomes of its link meanwhile. docs/ARCHITECTURE.md, "Control". */

#include <stdbool.h>

struct link;
struct link_work;

enum link_work_kind { LINK_WORK_SECURE, LINK_WORK_ROOT };

/* For l, which gives it what it needs. NULL: out of memory. */
struct link_work *link_work_new(struct link *l, enum link_work_kind kind);
void link_work_free(struct link_work *w); /* NULL is allowed */

/* Does it. Once, on any thread; the rest is the control thread's. */
void link_work_run(struct link_work *w);

/* False: its link is gone, or has given its stream up. It need not be done, but has to come back. */
bool link_work_is_wanted(const struct link_work *w);

/* The next one in a list of whoever has it; theirs to use. */
struct link_work **link_work_next(struct link_work *w);
