/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that are nobody's: discard-only (RFC 6666). Any thread. */

#include "proto/admission/source.h"

#include <string.h>

#define SESSIONS 0xff /* in the place of a backbone's number */

struct addr source_of(const struct target *from)
{
    uint8_t group = from->kind == TARGET_SESSION ? SESSIONS : from->backbone;
    struct addr a = {.family = 6, .ip = {0x01, [5] = group}};
    switch (from->kind) {
    case TARGET_TCP:
        return from->addr;
    case TARGET_UPLINK:
    case TARGET_SESSION:
        memcpy(a.ip + 6, from->id.bytes, sizeof(a.ip) - 6);
        return a;
    }
    return a;
}
