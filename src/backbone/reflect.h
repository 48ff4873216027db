/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Address reflection: tells whoever asks by STUN (RFC 8489) under which address it is seen. A thread of its
 * own. */

#include "backbone/metrics.h"
#include "base/err.h"

struct reflect;

/* Begins to answer on udp, a non-blocking socket that stays the caller's; it and metrics outlive the
 * reflection. */
int reflect_start(int udp, struct metrics *metrics, struct reflect **out) must_check;

/* Ends the thread and waits for it. NULL is allowed. */
void reflect_stop(struct reflect *r);
