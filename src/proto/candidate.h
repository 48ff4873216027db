/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An address at which a node may be reachable: what records and HELLOs carry and what paths are made from. */

#include "base/addr.h"

#define CANDIDATES_MAX 16

enum candidate_kind {
    CANDIDATE_HOST = 1,
    CANDIDATE_REFLEXIVE = 2,
    CANDIDATE_MAPPED = 3,
    CANDIDATE_RELAYED = 4,
    CANDIDATE_STATIC = 5
};

struct candidate {
    enum candidate_kind kind;
    struct addr addr;      /* UDP data port */
    uint16_t control_port; /* TCP control port at the same host; 0 when it cannot be dialled there */
};
