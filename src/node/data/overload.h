/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whose datagrams a worker drops unopened while more arrive than it can open. Left alone, its socket's queue runs
 * full, and the kernel drops whatever comes next, whosever it is. So from OVERLOAD_SHED on, who had more than its fair
 * share opened of late is dropped for the price of reading it, until the queue is below that again. The worker never
 * idles for that, a peer within its share loses nothing, and a peer that is alone is left to the kernel, which drops
 * no less. Shares count what was opened: nobody is charged for what others forge in its name. One per worker, whose
 * thread uses it; nothing is allocated after overload_new. docs/ARCHITECTURE.md, "In". */

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define OVERLOAD_PEERS     4096  /* slots */
#define OVERLOAD_WATCH     25    /* per cent of the queue: from here on it is counted who has what … */
#define OVERLOAD_SHED      35    /* … and from here on the heaviest are dropped */
#define OVERLOAD_PERIOD_US 10000 /* shares follow from what was opened in so long */
#define OVERLOAD_LEAST     16 /* datagrams that each peer may have in a period, however little was opened */
#define OVERLOAD_MEMORY_US 10000000 /* counting goes on, and a silent peer is still there, for so long */

enum overload_state {
    OVERLOAD_NONE, /* nothing is to be told */
    OVERLOAD_COUNTS,
    OVERLOAD_SHEDS,
};

struct overload;

int overload_new(struct overload **out) must_check;
void overload_free(struct overload *o);

/* After each batch: how full the queue is, in per cent, and whether several peers are connected. Then, at first, nobody
 * counts as alone: the flood may have kept the others' datagrams out. Returns what holds for the next batch. */
enum overload_state overload_round(struct overload *o, unsigned percent, bool company, uint64_t now_us);

/* While it is not OVERLOAD_NONE: a data datagram of the peer in slot was opened. */
void overload_opened(struct overload *o, uint32_t slot);

/* Likewise: the peer in slot is there, which costs no opening. */
void overload_present(struct overload *o, uint32_t slot);

/* While it is OVERLOAD_SHEDS: true when a data datagram of the peer in slot is to be dropped unopened. */
bool overload_sheds(const struct overload *o, uint32_t slot);
