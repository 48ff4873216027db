/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the doors' process counts, and tells the node. Pure functions. */

#include "base/bytes.h"
#include "base/err.h"

enum doors_count {
    DOORS_OPEN,        /* connections that bytes pass through now */
    DOORS_HALF_OPEN,   /* those that wait for what they lead to */
    DOORS_SERVED,      /* connections that were open, those included that are */
    DOORS_TO_MESH,     /* bytes */
    DOORS_FROM_MESH,   /* bytes */
    DOORS_FULL,        /* connections for which there was no place */
    DOORS_UNREACHABLE, /* those whose other end refused them, or did not answer */
    DOORS_NO_NAME,     /* requests for a name that nobody has … */
    DOORS_FORBIDDEN,   /* … for what is not reached by a door, … */
    DOORS_UNSUPPORTED, /* … of a kind that is not known here, … */
    DOORS_WRONG_WORDS, /* … with a wrong name or password, or none, … */
    DOORS_MALFORMED,   /* … or which were none, or did not come to their end */
    DOORS_COUNTS,
};

#define DOORS_COUNTS_LEN (DOORS_COUNTS * sizeof(uint64_t))

struct doors_counts {
    uint64_t of[DOORS_COUNTS];
};

/* What status --json calls it. */
const char *doors_count_name(enum doors_count which);

void doors_counts_encode(const struct doors_counts *c, uint8_t out[DOORS_COUNTS_LEN]);

/* ERR_FORMAT. */
int doors_counts_decode(struct slice bytes, struct doors_counts *out) must_check;
