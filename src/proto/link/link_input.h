/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a link's stream brings: errors, and work that is taken back. */

struct link;

/* The first error counts. */
void link_fail(struct link *l, int err, const char *reason);

/* TLS, or a message, has failed: the reason is the channel's. */
void link_fail_channel(struct link *l, int err);

/* What the work brought has been used; it is wiped. */
void link_use_up_work(struct link *l);

/* The stream is of no more use: work that is out comes back to nobody. */
void link_drop_work(struct link *l);
