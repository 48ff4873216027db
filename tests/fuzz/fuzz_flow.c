/* SPDX-License-Identifier: Apache-2.0 */
/* flow_hash: whatever the frame, both directions of it are one flow, and nothing past its end is read. mss_limit: what it
 * has done, it need not do again. */

#include "frame/flow.h"
#include "frame/mss.h"
#include "frame/offload.h"
#include "frame/offload_frame.h"
#include <stdlib.h>
#include <string.h>

#define ROOM 1428

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
    while (len--) {
        uint8_t x = *a;
        *a++ = *b;
        *b++ = x;
    }
}

/* The frame as its answer would come: addresses and ports change places. False for an IPv4 header that is too
 * short to be one, where ports and addresses are the same bytes. */
static bool turn_round(uint8_t *frame, size_t len)
{
    bool v6;
    size_t l3 = offload_find_ip(frame, len, &v6);
    if (!l3)
        return true;
    uint8_t *ip = frame + l3;
    size_t address = v6 ? 16 : 4, head = v6 ? IPV6_LEN : (size_t)(ip[0] & 15) * 4;
    uint8_t protocol = v6 ? ip[6] : ip[9];
    if (head < IPV4_LEN)
        return false;
    swap(ip + (v6 ? 8 : 12), ip + (v6 ? 8 : 12) + address, address);
    if ((protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP) && l3 + head + 4 <= len)
        swap(ip + head, ip + head + 2, 2);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *frame = malloc(size ? size : 1); /* of its exact size, so that ASan sees a byte too many */
    if (!frame)
        return 0;
    memcpy(frame, data, size);
    uint32_t there = flow_hash(frame, size);
    if (memcmp(frame, data, size) != 0 || flow_hash(frame, size) != there)
        abort();
    if (turn_round(frame, size) && flow_hash(frame, size) != there)
        abort();
    bool limited = mss_limit(frame, size, ROOM, false);
    if ((limited && flow_hash(frame, size) != there) || mss_limit(frame, size, ROOM, false))
        abort();
    free(frame);
    return 0;
}
