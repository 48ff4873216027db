/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Answers of a name server that knows the members of one network, and nothing else: NAME.NETWORK.internal (A, AAAA) and their
 * addresses (PTR), RFC 1035. It asks nobody, follows nothing, and each answer fits a datagram of 512 bytes. Pure. */

#include "base/addr.h"

#define DNS_ANSWER_MAX    512
#define DNS_LABEL_MAX     64 /* a label of at most 63 characters, and a NUL */
#define DNS_ADDRESSES_MAX 8
#define DNS_TTL_S         30
#define DNS_ABSENT_TTL_S  5 /* of the word that a name does not exist: its member may join soon */

#define DNS_REVERSE_MAX 74 /* a domain of addresses, and a NUL */

/* What is known of the network. Names are in lower case, addresses without port and scope. */
struct dns_zone {
    const char *network; /* its label */
    /* How many addresses the member has, and which; negative when there is no such member. */
    int (*addresses)(const void *context, const char *name, struct addr out[DNS_ADDRESSES_MAX]);
    /* Which member has the address: 0 and its name, ERR_NOT_FOUND when nobody has it, ERR_MISMATCH when it lies in no subnet
     * of the network. */
    int (*name)(const void *context, const struct addr *address, char out[DNS_LABEL_MAX]);
    const void *context;
};

/* Answers one datagram. Returns the answer's size; 0 when it deserves none: it is too short, or is an answer itself. */
size_t dns_answer(const struct dns_zone *zone, const uint8_t *query, size_t len, uint8_t out[DNS_ANSWER_MAX]);

/* The domain in which the addresses of a subnet have names (RFC 1035 §3.5, RFC 3596 §2.5). False when it is none: the subnet ends
 * within a label. */
bool dns_reverse_zone(const struct addr_prefix *subnet, char out[DNS_REVERSE_MAX]);
