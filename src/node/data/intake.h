/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What each peer may put before the control thread as datagrams: so many a second, and so many bytes at a time, so
 * that no peer fills the queue or keeps the thread busy. It is asked before one is opened, and told after that. One per
 * worker. Nothing is allocated after intake_new. */

#include "base/err.h"
#include "proto/wire/drop.h"
#include <stddef.h>
#include <stdint.h>

#define INTAKE_PEERS 4096  /* slots */
#define INTAKE_RATE  1000  /* datagrams a second of one peer … */
#define INTAKE_BURST 1000  /* … and at once */
#define INTAKE_SHARE 32768 /* bytes of one peer that wait; an eighth of the queue */

struct intake;

int intake_new(struct intake **out) must_check;
void intake_free(struct intake *in);

/* Worker: whether a datagram of len bytes of the peer in slot may enter now. DROP_NONE, DROP_CONTROL_RATE over its
 * rate, DROP_CONTROL_QUEUE over its share, DROP_RECEIVER for no slot. */
enum drop intake_judge(const struct intake *in, uint32_t slot, size_t len, uint64_t now_us) must_check;

/* Worker: it enters, as judged. What enters leaves by intake_leave. */
void intake_enter(struct intake *in, uint32_t slot, size_t len, uint64_t now_us);

/* Either thread: it waits no longer. */
void intake_leave(struct intake *in, uint32_t slot, size_t len);
