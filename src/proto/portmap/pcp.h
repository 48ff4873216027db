/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The Port Control Protocol, as far as we speak it: MAP requests, their answers, and ANNOUNCE (RFC 6887). Pure. */

#include "base/addr.h"
#include "base/err.h"

#define PCP_PORT          5351 /* of the router; NAT-PMP's, too */
#define PCP_ANNOUNCE_PORT 5350 /* of ours, where routers that restarted say so */
#define PCP_VERSION       2
#define PCP_NONCE_LEN     12
#define PCP_MAP_LEN       60
#define PCP_MESSAGE_MAX   1100

enum pcp_opcode { PCP_ANNOUNCE = 0, PCP_MAP = 1 };

/* Numbers of IANA's, as PCP names what is mapped. */
enum pcp_protocol { PCP_TCP = 6, PCP_UDP = 17 };

/* RFC 6887 §7.4; there may be others. */
enum pcp_result {
    PCP_SUCCESS = 0,
    PCP_UNSUPP_VERSION = 1,
    PCP_NOT_AUTHORIZED = 2,
    PCP_NETWORK_FAILURE = 7,
    PCP_NO_RESOURCES = 8,
    PCP_USER_EX_QUOTA = 10,
    PCP_CANNOT_PROVIDE_EXTERNAL = 11,
    PCP_ADDRESS_MISMATCH = 12,
};

struct pcp_map {
    uint8_t nonce[PCP_NONCE_LEN];
    uint8_t protocol;       /* enum pcp_protocol, in answers any */
    uint16_t internal_port; /* ours */
    struct addr external;   /* asked for, or given: with its port. In requests family 0: any */
};

/* A request (§7.1, §11.1) for the host client, which it has to come from. 0 seconds end the mapping. */
void pcp_map_encode(const struct addr *client, uint32_t lifetime_s, const struct pcp_map *map,
                    uint8_t out[PCP_MAP_LEN]);

struct pcp_answer {
    enum pcp_opcode opcode;
    uint8_t result; /* enum pcp_result, or another */
    uint32_t lifetime_s;
    uint32_t epoch_s;   /* since the router knows its mappings */
    struct pcp_map map; /* of PCP_MAP */
};

/* ERR_UNSUPPORTED for another version or opcode and for a request, ERR_FORMAT. Options are passed over. */
int pcp_answer_decode(const uint8_t *data, size_t len, struct pcp_answer *out) must_check;
