/* SPDX-License-Identifier: Apache-2.0 */
/* The switch: the input is a script of frames from the device and from peers, and of what control does
 * between them. A port that comes out must be one that taught it,
 * and the list must agree with the look-ups. */

#include "proto/switch/switch.h"

#include "crypto/secret.h"
#include <stdlib.h>
#include <string.h>

#define PEERS   4
#define ENTRIES 64

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_list(struct switch_table *sw, uint64_t now)
{
    struct switch_entry list[ENTRIES + 1];
    uint64_t at = 0;
    size_t n = switch_list(sw, now, &at, list, ENTRIES + 1);

    check(n <= ENTRIES);
    for (size_t i = 0; i < n; i++) {
        struct switch_frame f = {.vlan = list[i].vlan};
        memcpy(f.dst, list[i].mac, sizeof(f.dst));
        memcpy(f.src, list[i].mac, sizeof(f.src));
        check(list[i].port == SWITCH_PORT_DEVICE || (list[i].port >= 0 && list[i].port < PEERS));
        check(!(f.src[0] & 1));
        if (list[i].port == SWITCH_PORT_DEVICE)
            check(switch_from_device(sw, &f, now) == SWITCH_PORT_DEVICE);
    }
}

/* What switch_parse must say, by the book. */
static enum drop expected_of(const uint8_t *frame, size_t len)
{
    if (len < 14)
        return DROP_RUNT;
    bool tagged = (frame[12] == 0x81 && frame[13] == 0x00) || (frame[12] == 0x88 && frame[13] == 0xa8);
    if (tagged && len < 18)
        return DROP_RUNT;
    return frame[6] & 1 ? DROP_SOURCE : DROP_NONE;
}

/* One frame or chore; returns how many bytes of the script it took. */
static size_t step(struct switch_table *sw, const uint8_t *data, size_t size, uint64_t *now)
{
    size_t len = data[1] % 32;
    struct switch_frame f;
    enum drop not_learned;

    *now += (uint64_t)(data[0] >> 4) * 40000 * (data[0] >> 4);
    if (len > size - 2)
        len = size - 2;
    switch (data[0] & 7) {
    case 5:
        switch_age(sw, *now += 50000000);
        return 2;
    case 6:
        switch_forget(sw, data[1]);
        return 2;
    case 7:
        check_list(sw, *now);
        return 2;
    }
    enum drop drop = switch_parse(data + 2, len, &f);
    check(drop == expected_of(data + 2, len));
    if (!drop && (data[0] & 7) == 4) {
        int port = switch_from_device(sw, &f, *now);
        check(port >= SWITCH_PORT_BPDU && port < PEERS);
    } else if (!drop) {
        drop = switch_from_peer(sw, data[0] & 7, &f, *now, &not_learned);
        check(drop == DROP_NONE || drop == DROP_SOURCE || drop == DROP_STORM || drop == DROP_BPDU);
    }
    return 2 + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct switch_table *sw;
    uint64_t now = 1000000;

    if (switch_new(PEERS, ENTRIES, &secret_source, &sw))
        abort();
    while (size >= 2) {
        size_t took = step(sw, data, size, &now);
        data += took;
        size -= took;
    }
    check_list(sw, now);
    switch_free(sw);
    return 0;
}
