/* SPDX-License-Identifier: Apache-2.0 */
/* The switch's decisions: learning, moving, guarding, and where a frame goes. docs/PROTOCOL.md §13. Workers
 * call it for every frame, the control thread ages and lists; the table itself is fdb.c's. */

#include "proto/switch/switch.h"

#include "base/bytes.h"
#include "proto/switch/fdb.h"
#include "proto/switch/floods.h"
#include "proto/switch/owners.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ETHERTYPE_VLAN 0x8100 /* 802.1Q */
#define ETHERTYPE_QINQ 0x88a8 /* 802.1ad */
#define VLAN_ID_MASK   0x0fff
#define GROUP_BIT      0x01 /* in the first byte of an address */

struct switch_table {
    struct fdb *fdb;
    struct owners *owners;
    bool pass_bpdus;
    unsigned peers;
    struct floods *floods;
};

int switch_new(unsigned peers, unsigned entries, const struct random_source *random,
               struct switch_table **out)
{
    *out = NULL;
    if (peers == 0 || peers > SWITCH_PEERS_MAX)
        return ERR_ARGUMENT;
    struct switch_table *sw = calloc(1, sizeof(*sw));
    if (!sw)
        return ERR_NOMEM;

    sw->peers = peers;
    int err = floods_new(peers, &sw->floods);
    if (!err)
        err = fdb_new(peers, entries, random, &sw->fdb);
    if (!err)
        err = owners_new(peers, random, &sw->owners);
    if (err) {
        switch_free(sw);
        return err;
    }
    *out = sw;
    return 0;
}

void switch_free(struct switch_table *sw)
{
    if (!sw)
        return;
    fdb_free(sw->fdb);
    owners_free(sw->owners);
    floods_free(sw->floods);
    free(sw);
}

enum drop switch_parse(const uint8_t *frame, size_t len, struct switch_frame *out)
{
    struct reader r = reader_init(frame, len);

    reader_copy(&r, out->dst, sizeof(out->dst));
    reader_copy(&r, out->src, sizeof(out->src));
    out->type = reader_u16(&r);
    out->vlan = 0;
    if (out->type == ETHERTYPE_VLAN || out->type == ETHERTYPE_QINQ) {
        out->vlan = reader_u16(&r) & VLAN_ID_MASK;
        out->type = reader_u16(&r);
    }
    if (r.bad)
        return DROP_RUNT;
    return out->src[0] & GROUP_BIT ? DROP_SOURCE : DROP_NONE;
}

void switch_pass_bpdus(struct switch_table *sw, bool pass)
{
    sw->pass_bpdus = pass;
}

/* What bridges say to each other and never forward (IEEE 802.1Q §8.6.3): spanning tree, pause frames, slow
 * protocols such as LACP, spanning tree of provider bridges; and Cisco's spanning tree per VLAN. A root or a
 * link beyond the tunnel would reshape the LAN behind it. 802.1X (:03) and LLDP (:0e) harm nobody. */
static bool is_bpdu(const uint8_t dst[6])
{
    static const uint8_t reserved[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};
    static const uint8_t pvst[6] = {0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcd};

    if (memcmp(dst, reserved, sizeof(reserved)) == 0)
        return dst[5] <= 0x02 || dst[5] == 0x08;
    return memcmp(dst, pvst, sizeof(pvst)) == 0;
}

int switch_from_device(struct switch_table *sw, const struct switch_frame *f, uint64_t now_us)
{
    bool group = f->dst[0] & GROUP_BIT;

    if (group && is_bpdu(f->dst) && !sw->pass_bpdus)
        return SWITCH_PORT_BPDU;
    (void)fdb_learn(sw->fdb, fdb_key(f->src, f->vlan), SWITCH_PORT_DEVICE, now_us);
    if (group)
        return SWITCH_PORT_FLOOD;
    uint64_t to = fdb_key(f->dst, f->vlan);
    int port = fdb_find(sw->fdb, to);
    return port == SWITCH_PORT_DEVICE && fdb_may_have_left(sw->fdb, to, now_us) ? SWITCH_PORT_FLOOD : port;
}

void switch_local(struct switch_table *sw, const uint8_t mac[6], uint64_t now_us)
{
    uint64_t key = fdb_key(mac, 0);
    struct switch_pin own;

    memcpy(own.mac, mac, sizeof(own.mac));
    if (fdb_pin_owner(sw->fdb, key) != SWITCH_PORT_DEVICE)
        fdb_pin(sw->fdb, SWITCH_PORT_DEVICE, &own, 1);
    (void)fdb_learn(sw->fdb, key, SWITCH_PORT_DEVICE, now_us);
}

bool switch_may_flood(struct switch_table *sw, uint32_t slot, bool sleeps, bool alone, uint64_t now_us)
{
    return floods_send(sw->floods, slot, sleeps, alone, now_us);
}

struct flood_counts switch_floods(const struct switch_table *sw, uint32_t slot)
{
    return floods_counts(sw->floods, slot);
}

/* Whether what is flooded here, and what is a bridge's own, may come in. */
static enum drop admit(struct switch_table *sw, uint32_t slot, const struct switch_frame *f, uint64_t now_us)
{
    if (f->dst[0] & GROUP_BIT) {
        if (is_bpdu(f->dst) && !sw->pass_bpdus) {
            floods_refuse(sw->floods, slot);
            return DROP_BPDU;
        }
    } else if (fdb_find(sw->fdb, fdb_key(f->dst, f->vlan)) == SWITCH_PORT_DEVICE) {
        return DROP_NONE;
    }
    return floods_receive(sw->floods, slot, now_us) ? DROP_NONE : DROP_STORM;
}

enum drop switch_from_peer(struct switch_table *sw, uint32_t slot, const struct switch_frame *f,
                           uint64_t now_us, enum drop *not_learned)
{
    *not_learned = DROP_NONE;
    if (slot >= sw->peers)
        return DROP_RECEIVER;
    enum drop drop = admit(sw, slot, f, now_us);
    if (drop)
        return drop; /* before learning: a storm of made-up sources is not learned */
    drop = fdb_learn(sw->fdb, fdb_key(f->src, f->vlan), (int)slot, now_us);
    if (drop != DROP_FDB_FULL && drop != DROP_FLAPPING)
        return drop;
    *not_learned = drop;
    return DROP_NONE;
}

int switch_find(const struct switch_table *sw, const uint8_t mac[6], uint16_t vlan)
{
    return fdb_find(sw->fdb, fdb_key(mac, vlan));
}

void switch_pin(struct switch_table *sw, uint32_t slot, struct switch_pin *list, unsigned count)
{
    if (slot < sw->peers)
        fdb_pin(sw->fdb, (int)slot, list, count < SWITCH_PINS_PER_PEER ? count : SWITCH_PINS_PER_PEER);
}

static_assert(SWITCH_ADDRESSES_MAX + SWITCH_PINS_PER_PEER == OWNERS_PER_PEER,
              "room for all that it announces");

void switch_claim(struct switch_table *sw, uint32_t slot, const struct addr_prefix *addresses, unsigned count,
                  const uint8_t (*macs)[6], unsigned mac_count)
{
    uint64_t keys[OWNERS_PER_PEER];
    unsigned n = 0;
    for (unsigned i = 0; i < count && i < SWITCH_ADDRESSES_MAX; i++)
        keys[n++] = owners_key(sw->owners, &addresses[i].addr);
    for (unsigned i = 0; i < mac_count && i < SWITCH_PINS_PER_PEER; i++)
        keys[n++] = owners_key_mac(sw->owners, macs[i]);
    owners_claim(sw->owners, slot, OWNERS_HERE, keys, n);
}

void switch_claim_absent(struct switch_table *sw, uint32_t slot)
{
    owners_leave(sw->owners, slot);
}

void switch_expect(struct switch_table *sw, uint32_t slot, const uint8_t mac[6])
{
    uint64_t key = owners_key_mac(sw->owners, mac);
    owners_claim(sw->owners, slot, OWNERS_ABSENT, &key, 1);
}

int switch_ask(struct switch_table *sw, const struct addr *a, uint64_t now_us)
{
    return owners_ask(sw->owners, owners_key(sw->owners, a), now_us);
}

int switch_absent(const struct switch_table *sw, const struct addr *a)
{
    return owners_find(sw->owners, OWNERS_ABSENT, owners_key(sw->owners, a));
}

int switch_absent_mac(const struct switch_table *sw, const uint8_t mac[6])
{
    if (mac[0] & GROUP_BIT)
        return SWITCH_PORT_FLOOD; /* no machine's, whoever claims it */
    return owners_find(sw->owners, OWNERS_ABSENT, owners_key_mac(sw->owners, mac));
}

void switch_forget(struct switch_table *sw, uint32_t slot)
{
    if (slot >= sw->peers)
        return;
    fdb_forget(sw->fdb, (int)slot);
    floods_forget(sw->floods, slot);
}

void switch_age(struct switch_table *sw, uint64_t now_us)
{
    fdb_age(sw->fdb, now_us);
}

size_t switch_list(struct switch_table *sw, uint64_t now_us, uint64_t *at, struct switch_entry *out,
                   size_t cap)
{
    return fdb_list(sw->fdb, now_us, at, out, cap);
}
