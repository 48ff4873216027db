/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whom somebody wants to reach by a door: an address or a name, and a port. Pure. */

#include "base/addr.h"

#define DESTINATION_NAME_MAX 256 /* a name of at most 253 characters, without its last dot, and a NUL */

struct destination {
    struct addr address;             /* with the port; family 0: name tells */
    char name[DESTINATION_NAME_MAX]; /* in lower case */
    uint16_t port;
};

/* From a host's name, or an address as text, without brackets. ERR_FORMAT for what is neither. */
int destination_from_text(const char *text, size_t len, uint16_t port, struct destination *out) must_check;

/* From the 4 or 16 bytes of an address. */
void destination_from_bytes(const uint8_t *bytes, size_t len, uint16_t port, struct destination *out);
