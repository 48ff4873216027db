/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A link whose peer is not admitted yet: what of it waits, and what its entry is told. And one that asks for a certificate.
 * docs/PROTOCOL.md §25, §26. */

#include "proto/link/link.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether so many bytes more are within what it may bring; else the link has failed. */
bool link_may_bring(struct link *l, size_t len);

/* Whether a message of that type waits now. */
bool link_holds(const struct link *l, enum message_type type);
/* The message that is in waits. False: so many do not. */
bool link_keep(struct link *l) must_check;

/* As channel_next: first what has waited, once it may be taken. */
int link_next_message(struct link *l) must_check;

/* The entry is told of the message that is in, and its answers are sent. */
enum link_event link_on_entry(struct link *l, uint64_t now_us);

/* What link_ask was given is told of the message that is in, and its answers are sent. */
enum link_event link_on_asking(struct link *l);

/* Nothing waits any more. */
void link_leave(struct link *l);
