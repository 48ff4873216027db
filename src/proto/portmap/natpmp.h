/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* NAT-PMP (RFC 6886), PCP's older sister at the same port of the router: IPv4 alone, no nonce. Pure. */

#include "base/addr.h"
#include "base/err.h"

#define NATPMP_VERSION 0
#define NATPMP_ASK_MAX 12

enum natpmp_opcode { NATPMP_ADDRESS = 0, NATPMP_UDP = 1, NATPMP_TCP = 2 };

/* RFC 6886 §3.5; there may be others. */
enum natpmp_result {
    NATPMP_SUCCESS = 0,
    NATPMP_UNSUPP_VERSION = 1,
    NATPMP_NOT_AUTHORIZED = 2,
    NATPMP_NETWORK_FAILURE = 3,
    NATPMP_NO_RESOURCES = 4,
    NATPMP_UNSUPP_OPCODE = 5,
};

struct natpmp_map {
    uint16_t internal_port, external_port; /* ours; asked for, or given */
    uint32_t lifetime_s;                   /* 0 ends the mapping */
};

/* Requests: for the router's outer address (map NULL), or for a mapping. Return the length. */
size_t natpmp_encode(enum natpmp_opcode opcode, const struct natpmp_map *map, uint8_t out[NATPMP_ASK_MAX]);

struct natpmp_answer {
    enum natpmp_opcode opcode; /* that it answers; a router that knows no PCP may answer that with any */
    uint16_t result;  /* enum natpmp_result, or another. But for success nothing below but epoch_s counts */
    uint32_t epoch_s; /* since the router knows its mappings */
    struct addr address;   /* of NATPMP_ADDRESS; port 0 */
    struct natpmp_map map; /* of the others */
};

/* ERR_UNSUPPORTED for another version or opcode and for a request, ERR_FORMAT. */
int natpmp_answer_decode(const uint8_t *data, size_t len, struct natpmp_answer *out) must_check;
