/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A path that answers, and is still not to carry while another does: its data does not arrive, it loses too much, or it is
 * far slower than one of a higher tier. It may carry again after PATH_DOUBT_US; twice as long each time, PATH_DOUBT_DOUBLED
 * times, until it has carried for PATH_DOUBT_FORGOTTEN_US. A probe that is lost adds PATH_DOUBT_LOST_US. One is sent each second
 * while data flows: so the wait ends where less than a tenth is lost, both ways together. docs/PROTOCOL.md §9.
 * Internal to the set; control thread. */

#include "proto/path/path.h"
#include "proto/path/path_receipt.h"
#include <stdbool.h>
#include <stdint.h>

#define PATH_DOUBT_AFTER_US     10000000ull /* it loses, or is slow, for so long */
#define PATH_DOUBT_US           30000000ull
#define PATH_DOUBT_LOST_US      10000000ull /* while that leaves no more than PATH_DOUBT_US */
#define PATH_DOUBT_DOUBLED      5u          /* times: 16 minutes */
#define PATH_DOUBT_FORGOTTEN_US 600000000ull
#define PATH_DOUBT_SLOWER_US    50000u /* than twice the other's round trip */

struct path_entry;
struct path_set;

struct path_doubt {
    uint64_t until_us; /* 0: there is none */
    enum path_why why;
    uint8_t times;
};

/* Of the path that carries. */
struct path_watch {
    uint64_t losing_us, slow_us; /* since when; 0: it does not, it is not */
};

bool path_doubted(const struct path_set *set, const struct path_entry *e);

/* The path that carries has answered, with a verdict on what it was sent: is it still to carry? */
void path_doubt_judge(struct path_set *set, enum path_verdict verdict, uint64_t now_us);

/* A probe of e was lost: it waits longer. */
void path_doubt_on_lost(struct path_entry *e, uint64_t now_us);

/* a is far slower than b, of a higher tier. */
bool path_far_slower(const struct path_entry *a, const struct path_entry *b);
