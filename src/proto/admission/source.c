/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that are nobody's: discard-only (RFC 6666). Any thread. */

#include "proto/admission/source.h"

#include <string.h>

struct addr source_of(const struct target *from)
{
    struct addr a = {.family = 6, .ip = {0x01, [5] = from->backbone}};
    switch (from->kind) {
    case TARGET_TCP:
        return from->addr;
    case TARGET_UPLINK:
        memcpy(a.ip + 6, from->id.bytes, sizeof(a.ip) - 6);
        return a;
    }
    return a;
}
