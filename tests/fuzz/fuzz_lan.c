/* SPDX-License-Identifier: Apache-2.0 */
/* Beacons of whoever is on the local network: what decodes encodes to the same bytes, and nobody is found by one that was made
 * without the ids. Input: one beacon. */

#include "base/bytes.h"
#include "proto/lan/lan.h"
#include <stdlib.h>

#define MAC_AT (BEACON_LEN - 16)

static const struct node_id me = {{1}}, other = {{2}};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void encode_again(const uint8_t *data, size_t size)
{
    uint8_t key[KDF_LEN], again[BEACON_LEN];
    struct beacon b;
    if (beacon_decode(data, size, &b))
        return;
    check(beacon_key(&me, &other, key) == 0 && beacon_encode(&b, key, again) == 0);
    check(memcmp(again, data, MAC_AT) == 0 && beacon_verify(again, key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct lan_peer peer = {.id = other, .seeks = true};
    struct node_id id;
    uint16_t port;
    struct lan *l;
    encode_again(data, size);
    check(lan_new(&me, 8443, &l) == 0 && lan_set_peers(l, &peer, 1, 1000) == 0);
    check(lan_hear(l, data, size, 1, 1000, &id, &port) == LAN_IGNORED);
    lan_free(l);
    return 0;
}
