/* SPDX-License-Identifier: Apache-2.0 */
/* proto/switch/switch: learns, moves, guards and forgets, also under floods, and with several workers at once. */

#include "proto/switch/switch.h"

#include "crypto/secret.h"
#include "proto/switch/floods.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PEERS   8
#define ENTRIES 16384
#define SECOND  1000000ull

struct fixture {
    struct switch_table *sw;
    uint64_t now;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    x->now = 5000 * SECOND;
    assert_int_equal(switch_new(PEERS, ENTRIES, &secret_source, &x->sw), 0);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    switch_free(x->sw);
    free(x);
    return 0;
}

#define BROADCAST 0xffffffffffffull

static void put_mac(uint8_t out[6], uint64_t mac)
{
    for (int i = 0; i < 6; i++)
        out[i] = (uint8_t)(mac >> (40 - 8 * i));
}

/* Stations are numbered; their addresses are local, unicast. */
static struct switch_frame frame(uint64_t src, uint64_t dst, uint16_t vlan)
{
    struct switch_frame f = {.vlan = vlan, .type = 0x0800};

    put_mac(f.src, 0x020000000000ull + src);
    put_mac(f.dst, dst == BROADCAST ? dst : 0x020000000000ull + dst);
    return f;
}

static int out(struct fixture *x, uint64_t src, uint64_t dst)
{
    struct switch_frame f = frame(src, dst, 0);
    return switch_from_device(x->sw, &f, x->now);
}

static enum drop in_full(struct fixture *x, uint32_t peer, uint64_t src, uint64_t dst, enum drop *not_learned)
{
    struct switch_frame f = frame(src, dst, 0);
    return switch_from_peer(x->sw, peer, &f, x->now, not_learned);
}

static enum drop in(struct fixture *x, uint32_t peer, uint64_t src, uint64_t dst)
{
    enum drop not_learned, drop = in_full(x, peer, src, dst, &not_learned);

    if (!drop)
        assert_int_equal(not_learned, DROP_NONE);
    return drop;
}

/* Where a station is, asked from the device by a station of ours, number 0. */
static int where(struct fixture *x, uint64_t station)
{
    return out(x, 0, station);
}

/* ---- parsing ---- */

static void parse_reads_plain_and_tagged_frames(void **state)
{
    (void)state;
    uint8_t bytes[18] = {1, 2, 3, 4, 5, 6, 0x10, 7, 8, 9, 10, 11, 0x08, 0x06};
    struct switch_frame f;

    assert_int_equal(switch_parse(bytes, 14, &f), DROP_NONE);
    assert_memory_equal(f.dst, bytes, 6);
    assert_memory_equal(f.src, bytes + 6, 6);
    assert_int_equal(f.vlan, 0);
    assert_int_equal(f.type, 0x0806);

    memcpy(bytes + 12, "\x81\x00\xef\xfe\x86\xdd", 6); /* priority 7, VID 0xffe */
    assert_int_equal(switch_parse(bytes, 18, &f), DROP_NONE);
    assert_int_equal(f.vlan, 0xffe);
    assert_int_equal(f.type, 0x86dd);
    memcpy(bytes + 12, "\x88\xa8\x00\x05\x81\x00", 6);
    assert_int_equal(switch_parse(bytes, 18, &f), DROP_NONE);
    assert_int_equal(f.vlan, 5);
}

static void parse_refuses_runts_and_group_sources(void **state)
{
    (void)state;
    uint8_t bytes[18] = {[12] = 0x08};
    struct switch_frame f;

    for (size_t len = 0; len < 14; len++)
        assert_int_equal(switch_parse(bytes, len, &f), DROP_RUNT);
    bytes[12] = 0x81;
    for (size_t len = 14; len < 18; len++)
        assert_int_equal(switch_parse(bytes, len, &f), DROP_RUNT);
    bytes[6] = 0x01;
    assert_int_equal(switch_parse(bytes, 18, &f), DROP_SOURCE);
}

/* ---- learning ---- */

static void unknown_and_group_destinations_flood(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(out(x, 1, 2), SWITCH_PORT_FLOOD);
    assert_int_equal(out(x, 1, BROADCAST), SWITCH_PORT_FLOOD);
}

static void source_of_a_peers_frame_is_learned(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(in(x, 3, 100, BROADCAST), DROP_NONE);
    assert_int_equal(in(x, 0, 101, BROADCAST), DROP_NONE);
    assert_int_equal(where(x, 100), 3);
    assert_int_equal(where(x, 101), 0);
}

static void destination_on_our_own_side_is_not_sent(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(out(x, 1, BROADCAST), SWITCH_PORT_FLOOD);
    assert_int_equal(out(x, 2, 1), SWITCH_PORT_DEVICE);
}

static void vlans_are_told_apart(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;
    struct switch_frame f = frame(100, BROADCAST, 7);

    assert_int_equal(switch_from_peer(x->sw, 1, &f, x->now, &not_learned), DROP_NONE);
    f = frame(100, BROADCAST, 8);
    assert_int_equal(switch_from_peer(x->sw, 2, &f, x->now, &not_learned), DROP_NONE);
    f = frame(0, 100, 7);
    assert_int_equal(switch_from_device(x->sw, &f, x->now), 1);
    f = frame(0, 100, 8);
    assert_int_equal(switch_from_device(x->sw, &f, x->now), 2);
    assert_int_equal(where(x, 100), SWITCH_PORT_FLOOD);
}

static void unknown_slot_teaches_nothing(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;

    assert_int_not_equal(in_full(x, PEERS, 100, BROADCAST, &not_learned), DROP_NONE);
    assert_int_not_equal(in_full(x, UINT32_MAX, 100, BROADCAST, &not_learned), DROP_NONE);
    assert_int_equal(where(x, 100), SWITCH_PORT_FLOOD);
    switch_forget(x->sw, UINT32_MAX);
}

/* ---- frames of bridges among themselves ---- */

static const struct {
    uint64_t dst;
    bool refused;
} bridges[] = {{0x0180c2000000, true},  {0x0180c2000001, true},  {0x0180c2000002, true},
               {0x0180c2000008, true},  {0x01000ccccccd, true},  {0x0180c2000003, false},
               {0x0180c200000e, false}, {0x01000ccccccc, false}, {0x0180c2000100, false}};

static void check_bridges(struct fixture *x, bool passed)
{
    for (size_t i = 0; i < sizeof(bridges) / sizeof(bridges[0]); i++)
        for (uint16_t vlan = 0; vlan < 2; vlan++) {
            struct switch_frame f = frame(100, BROADCAST, vlan);
            bool refused = bridges[i].refused && !passed;
            enum drop not_learned;
            put_mac(f.dst, bridges[i].dst);
            assert_int_equal(switch_from_peer(x->sw, 1, &f, x->now, &not_learned),
                             refused ? DROP_BPDU : DROP_NONE);
            put_mac(f.src, 0x020000000001);
            assert_int_equal(switch_from_device(x->sw, &f, x->now),
                             refused ? SWITCH_PORT_BPDU : SWITCH_PORT_FLOOD);
        }
}

static void bridges_own_frames_pass_in_neither_direction(void **state)
{
    check_bridges(*state, false);
}

static void bridges_own_frames_pass_for_who_wants_them(void **state)
{
    struct fixture *x = *state;

    switch_pass_bpdus(x->sw, true);
    check_bridges(x, true);
}

static void refused_bridges_frame_teaches_nothing(void **state)
{
    struct fixture *x = *state;
    struct switch_frame f = frame(100, 0, 0);
    enum drop not_learned;

    put_mac(f.dst, bridges[0].dst);
    assert_int_equal(switch_from_peer(x->sw, 1, &f, x->now, &not_learned), DROP_BPDU);
    assert_int_equal(where(x, 100), SWITCH_PORT_FLOOD);
}

/* ---- moving ---- */

static void own_address_from_a_peer_is_refused(void **state)
{
    struct fixture *x = *state;

    out(x, 1, BROADCAST);
    x->now += SWITCH_QUIET_MS * 1000;
    assert_int_equal(in(x, 2, 1, BROADCAST), DROP_SOURCE);
    assert_int_equal(out(x, 5, 1), SWITCH_PORT_DEVICE);
}

static void station_that_went_to_a_peer_is_found_there(void **state)
{
    struct fixture *x = *state;

    out(x, 1, BROADCAST);
    x->now += SECOND * 6 / 10;
    assert_int_equal(in(x, 2, 1, BROADCAST), DROP_NONE);
    assert_int_equal(where(x, 1), 2);
}

static void station_that_left_without_a_word_is_looked_for_everywhere(void **state)
{
    struct fixture *x = *state;

    out(x, 1, BROADCAST);
    x->now += SECOND * 6 / 10;
    assert_int_equal(where(x, 1), SWITCH_PORT_FLOOD);
    out(x, 1, BROADCAST);
    assert_int_equal(where(x, 1), SWITCH_PORT_DEVICE);
}

static void silent_device_is_looked_for_nowhere(void **state)
{
    struct fixture *x = *state;
    struct switch_frame own = frame(1, BROADCAST, 7), to = frame(5, 1, 7);

    switch_local(x->sw, own.src, x->now);
    (void)switch_from_device(x->sw, &own, x->now);
    x->now += 60 * SECOND;
    assert_int_equal(switch_from_device(x->sw, &to, x->now), SWITCH_PORT_DEVICE);
    to.vlan = 0;
    assert_int_equal(switch_from_device(x->sw, &to, x->now), SWITCH_PORT_DEVICE);
}

/* A loop, or a bridge between both sites, brings our own frames back at once. */
static void our_stations_frames_that_come_back_are_refused(void **state)
{
    struct fixture *x = *state;

    for (int i = 0; i < 1000; i++, x->now += 3 * SECOND) {
        out(x, 1, BROADCAST);
        assert_int_equal(in(x, 2, 1, BROADCAST), DROP_SOURCE);
    }
}

/* The thief claims a station of ours a thousand times a second; the station speaks once a second. */
static void thief_has_a_station_that_speaks_for_a_tenth_of_the_time(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;
    int stolen = 0;

    for (int ms = 0; ms < 100000; ms++, x->now += 1000) {
        if (ms % 1000 == 0)
            out(x, 1, BROADCAST);
        in_full(x, 2, 1, 0, &not_learned);
        stolen += where(x, 1) == 2;
    }
    assert_in_range(stolen, 1, 10000);
}

static void station_that_speaks_often_is_never_stolen(void **state)
{
    struct fixture *x = *state;

    for (int ms = 0; ms < 100000; ms++, x->now += 1000) {
        if (ms % 200 == 0)
            out(x, 1, BROADCAST);
        assert_int_equal(in(x, 2, 1, 0), DROP_SOURCE);
    }
}

static void station_that_came_to_us_is_taken_over_at_once(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(in(x, 2, 100, BROADCAST), DROP_NONE);
    out(x, 100, BROADCAST);
    assert_int_equal(where(x, 100), SWITCH_PORT_DEVICE);
    assert_int_equal(in(x, 2, 100, BROADCAST), DROP_SOURCE);
}

static void silent_device_keeps_its_own_address(void **state)
{
    struct fixture *x = *state;
    struct switch_frame f = frame(1, BROADCAST, 0);

    for (int s = 0; s < 1000; s++, x->now += SECOND) {
        switch_local(x->sw, f.src, x->now);
        switch_age(x->sw, x->now);
    }
    assert_int_equal(in(x, 2, 1, BROADCAST), DROP_SOURCE);
}

static void learned_address_moves_three_times_and_then_stays(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;

    assert_int_equal(in(x, 0, 100, BROADCAST), DROP_NONE);
    for (uint32_t move = 1; move <= SWITCH_MOVES_MAX; move++) {
        assert_int_equal(in(x, move % 2, 100, BROADCAST), DROP_NONE);
        assert_int_equal(where(x, 100), move % 2);
    }
    x->now += (SWITCH_MOVES_S - 1) * SECOND;
    assert_int_equal(in_full(x, 0, 100, BROADCAST, &not_learned),
                     DROP_NONE); /* delivered, not moved, counted */
    assert_int_equal(not_learned, DROP_FLAPPING);
    assert_int_equal(where(x, 100), 1);
    x->now += SECOND;
    assert_int_equal(in(x, 0, 100, BROADCAST), DROP_NONE);
    assert_int_equal(where(x, 100), 0);
}

static void two_peers_that_fight_move_an_address_three_times_in_ten_seconds(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;
    int moves = 0, last = 0;

    in(x, 0, 100, BROADCAST);
    for (int i = 0; i < 30000; i++, x->now += 1000) {
        in_full(x, (uint32_t)i % 2, 100, 0, &not_learned);
        moves += where(x, 100) != last;
        last = where(x, 100);
    }
    assert_in_range(moves, 9, 10);
}

static void moves_are_counted_for_a_worker_a_little_behind(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;

    for (uint32_t i = 0; i <= SWITCH_MOVES_MAX; i++)
        in(x, i % 2, 100, BROADCAST);
    x->now -= 200000;
    assert_int_equal(in_full(x, 0, 100, BROADCAST, &not_learned), DROP_NONE);
    assert_int_equal(not_learned, DROP_FLAPPING);
}

/* ---- announced addresses ---- */

/* Peers 0 to 3 fill all that peers may have. */
static void crowd(struct fixture *x)
{
    out(x, 0, BROADCAST);
    for (uint64_t s = 0; s < ENTRIES - ENTRIES / 8; s++)
        assert_int_equal(in(x, (uint32_t)(s % 4), 1000000 + s, 0), DROP_NONE);
}

static struct switch_pin pin(struct fixture *x, uint32_t peer, uint64_t station)
{
    struct switch_frame f = frame(station, 0, 0);
    struct switch_pin p = {.err = 1};

    memcpy(p.mac, f.src, sizeof(p.mac));
    switch_pin(x->sw, peer, &p, 1);
    return p;
}

static void announced_address_is_its_peers_in_every_vlan(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;

    assert_int_equal(pin(x, 1, 100).err, 0);
    assert_int_equal(where(x, 100), 1); /* before it says a word */
    for (uint16_t vlan = 0; vlan < 3; vlan++) {
        struct switch_frame f = frame(100, BROADCAST, vlan), to = frame(0, 100, vlan);
        assert_int_equal(switch_from_peer(x->sw, 2, &f, x->now, &not_learned), DROP_PINNED);
        assert_int_equal(switch_from_peer(x->sw, 1, &f, x->now, &not_learned), DROP_NONE);
        assert_int_equal(switch_from_peer(x->sw, 2, &f, x->now, &not_learned), DROP_PINNED);
        assert_int_equal(switch_from_device(x->sw, &to, x->now), 1);
    }
}

static void announcing_takes_back_what_another_peer_taught(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;
    struct switch_frame f = frame(100, BROADCAST, 7), to = frame(0, 100, 7);

    in(x, 2, 100, BROADCAST);
    assert_int_equal(switch_from_peer(x->sw, 2, &f, x->now, &not_learned), DROP_NONE);
    assert_int_equal(pin(x, 1, 100).err, 0);
    assert_int_equal(where(x, 100), 1);
    assert_int_equal(switch_from_device(x->sw, &to, x->now), 1);
}

static void address_announced_twice_stays_with_the_first(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(pin(x, 1, 100).err, 0);
    struct switch_pin second = pin(x, 2, 100);
    assert_int_equal(second.err, ERR_EXISTS);
    assert_int_equal(second.owner, 1);
    assert_int_equal(pin(x, 1, 100).err, 0); /* a new handshake says the same again */
}

static void address_announced_twice_goes_to_the_second_when_the_first_is_gone(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;
    struct switch_frame f = frame(100, BROADCAST, 0);

    assert_int_equal(pin(x, 1, 100).err, 0);
    assert_int_equal(pin(x, 2, 100).err, ERR_EXISTS);
    assert_int_equal(pin(x, 3, 100).err, ERR_EXISTS);
    switch_pin(x->sw, 2, NULL, 0); /* it waits no longer */
    assert_int_equal(where(x, 100), 1);
    switch_pin(x->sw, 1, NULL, 0);
    assert_int_equal(where(x, 100), 3);
    assert_int_equal(switch_from_peer(x->sw, 2, &f, x->now, &not_learned), DROP_PINNED);
    switch_pin(x->sw, 3, NULL, 0);
    assert_int_equal(where(x, 100), SWITCH_PORT_FLOOD);
}

static void address_goes_back_when_the_one_that_it_is_made_from_is_gone(void **state)
{
    struct fixture *x = *state;
    struct switch_frame f = frame(100, 0, 0);
    struct switch_pin own = {.own = true};

    memcpy(own.mac, f.src, sizeof(own.mac));
    assert_int_equal(pin(x, 1, 100).err, 0);
    switch_pin(x->sw, 2, &own, 1);
    assert_int_equal(where(x, 100), 2);
    switch_pin(x->sw, 2, NULL, 0);
    assert_int_equal(where(x, 100), 1);
}

/* One peer announces addresses that another has, more often than there is room to wait. */
static void those_who_wait_for_addresses_are_bounded(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(pin(x, 1, 100).err, 0);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(pin(x, 2, 100).err, ERR_EXISTS);
    assert_int_equal(pin(x, 3, 100).err, ERR_EXISTS);
    switch_pin(x->sw, 2, NULL, 0);
    switch_pin(x->sw, 1, NULL, 0);
    assert_int_equal(where(x, 100), 3); /* each waits once */
}

/* Else a peer that is always there could announce the addresses of all others. */
static void address_made_from_its_peers_id_is_nobody_elses(void **state)
{
    struct fixture *x = *state;
    struct switch_frame f = frame(100, 0, 0);
    struct switch_pin own = {.own = true};

    memcpy(own.mac, f.src, sizeof(own.mac));
    assert_int_equal(pin(x, 1, 100).err, 0);
    switch_pin(x->sw, 2, &own, 1);
    assert_int_equal(own.err, 0);
    assert_int_equal(where(x, 100), 2);
    assert_int_equal(pin(x, 1, 100).err, ERR_EXISTS);
    switch_pin(x->sw, 1, NULL, 0);
    assert_int_equal(where(x, 100), 2);
}

static void peer_announces_neither_ours_nor_nobodys(void **state)
{
    struct fixture *x = *state;
    struct switch_frame own = frame(1, BROADCAST, 5);
    struct switch_pin nobodys[] = {{.mac = {0}}, {.mac = {0x01, 0, 0x5e, 0, 0, 1}}};
    enum drop not_learned;

    switch_local(x->sw, own.src, x->now);
    assert_int_equal(pin(x, 1, 1).err, ERR_PERMISSION);
    assert_int_equal(switch_from_peer(x->sw, 1, &own, x->now, &not_learned), DROP_SOURCE); /* in any VLAN */
    switch_pin(x->sw, 1, nobodys, 2);
    assert_int_equal(nobodys[0].err, ERR_ARGUMENT);
    assert_int_equal(nobodys[1].err, ERR_ARGUMENT);
}

static void announced_address_has_room_where_its_peer_has_none(void **state)
{
    struct fixture *x = *state;

    crowd(x);
    for (uint64_t s = 1; s <= (ENTRIES - ENTRIES / 8) / 5; s++)
        in(x, 5, s, 0);
    assert_int_equal(pin(x, 5, 9999).err, 0);
    assert_int_equal(in(x, 5, 9999, 0), DROP_NONE);
    assert_int_equal(where(x, 9999), 5);
}

/* ---- ageing and forgetting ---- */

static void address_not_seen_for_long_is_removed(void **state)
{
    struct fixture *x = *state;

    in(x, 1, 100, BROADCAST);
    in(x, 1, 101, BROADCAST);
    x->now += (SWITCH_AGE_S - 1) * SECOND;
    in(x, 1, 101, BROADCAST);
    switch_age(x->sw, x->now);
    assert_int_equal(where(x, 100), 1);
    x->now += SECOND;
    switch_age(x->sw, x->now);
    assert_int_equal(where(x, 100), SWITCH_PORT_FLOOD);
    assert_int_equal(where(x, 101), 1);
}

static void clock_of_a_worker_a_little_ahead_ages_nothing(void **state)
{
    struct fixture *x = *state;

    in(x, 1, 100, BROADCAST);
    switch_age(x->sw, x->now - 2 * SECOND);
    assert_int_equal(where(x, 100), 1);
}

static void forgotten_peer_leaves_the_others_alone(void **state)
{
    struct fixture *x = *state;

    for (uint64_t s = 1; s <= 3000; s++)
        assert_int_equal(in(x, (uint32_t)(s % 3), s, 0), DROP_NONE);
    switch_forget(x->sw, 1);
    for (uint64_t s = 1; s <= 3000; s++)
        assert_int_equal(where(x, s), s % 3 == 1 ? SWITCH_PORT_FLOOD : (int)(s % 3));
}

/* All of them, some at a time. */
static size_t list_all(struct fixture *x, struct switch_entry *out, size_t cap)
{
    uint64_t at = 0;
    size_t count = 0, n;

    while ((n = switch_list(x->sw, x->now, &at, out + count, cap - count < 64 ? cap - count : 64)) > 0)
        count += n;
    return count;
}

static size_t count(struct fixture *x)
{
    static struct switch_entry list[ENTRIES];

    return list_all(x, list, ENTRIES);
}

static void list_shows_every_address_with_its_age(void **state)
{
    struct fixture *x = *state;
    struct switch_entry list[3];
    bool seen[2] = {false, false};

    in(x, 5, 100, BROADCAST);
    x->now += 7 * SECOND;
    out(x, 1, BROADCAST);
    assert_int_equal(list_all(x, list, 3), 2);
    for (int i = 0; i < 2; i++) {
        bool local = list[i].port == SWITCH_PORT_DEVICE;
        struct switch_frame f = frame(local ? 1 : 100, BROADCAST, 0);
        assert_memory_equal(list[i].mac, f.src, 6);
        assert_int_equal(list[i].age_s, local ? 0 : 7);
        assert_int_equal(list[i].vlan, 0);
        seen[local] = true;
    }
    assert_true(seen[0] && seen[1]);
}

static void list_in_pieces_has_every_address_once(void **state)
{
    struct fixture *x = *state;
    struct switch_entry list[7];
    bool seen[3000] = {false};
    uint64_t at = 0;
    size_t n, total = 0;

    for (uint64_t s = 1; s <= 3000; s++)
        assert_int_equal(in(x, (uint32_t)(s % PEERS), s, 0), DROP_NONE);
    do {
        n = switch_list(x->sw, x->now, &at, list, 7);
        for (size_t i = 0; i < n; i++) {
            unsigned station = ((unsigned)list[i].mac[4] << 8 | list[i].mac[5]) - 1;
            assert_in_range(station, 0, 2999);
            assert_false(seen[station]);
            seen[station] = true;
        }
        total += n;
    } while (n == 7);
    assert_int_equal(total, 3000);
    assert_int_equal(switch_list(x->sw, x->now, &at, list, 7), 0);
}

static void years_of_churn_leave_the_table_sound(void **state)
{
    struct fixture *x = *state;
    unsigned seed = 5;

    for (int round = 0; round < 300; round++, x->now += 60 * SECOND) {
        for (int i = 0; i < 1000; i++)
            in(x, (uint32_t)rand_r(&seed) % PEERS, 1 + (uint64_t)rand_r(&seed) % 100000, BROADCAST);
        switch_age(x->sw, x->now);
        if (round % 7 == 0)
            switch_forget(x->sw, (uint32_t)rand_r(&seed) % PEERS);
    }
    static struct switch_entry list[ENTRIES];
    size_t n = list_all(x, list, ENTRIES);
    assert_in_range(n, 3000, 5001);
    for (size_t i = 0; i < n; i++) { /* every entry can still be reached */
        struct switch_frame f = frame(0, 0, 0);
        memcpy(f.dst, list[i].mac, 6);
        assert_int_equal(switch_from_device(x->sw, &f, x->now), list[i].port);
    }
    x->now += SWITCH_AGE_S * SECOND;
    switch_age(x->sw, x->now);
    assert_int_equal(count(x), 0);
}

/* ---- caps ---- */

static void peer_over_its_cap_is_passed_but_not_learned(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;

    out(x, 0, BROADCAST);
    for (uint64_t s = 1; s <= SWITCH_PER_PEER; s++)
        assert_int_equal(in(x, 1, s, 0), DROP_NONE);
    assert_int_equal(in_full(x, 1, 99999, 0, &not_learned), DROP_NONE);
    assert_int_equal(not_learned, DROP_FDB_FULL);
    assert_int_equal(in(x, 1, 5, 0), DROP_NONE); /* known ones are fine */
    assert_int_equal(in(x, 2, 99999, 0), DROP_NONE);
    assert_int_equal(where(x, 99999), 2);
    assert_int_equal(in_full(x, 1, 99999, 0, &not_learned), DROP_NONE); /* nor can it take over more */
    assert_int_equal(not_learned, DROP_FDB_FULL);
    switch_forget(x->sw, 1);
    assert_int_equal(in(x, 1, 99998, 0), DROP_NONE);
}

static void all_peers_together_leave_room_for_our_side(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;
    size_t refused = 0;

    for (uint64_t s = 0; s < ENTRIES; s++, x->now += 1000) {
        assert_int_equal(in_full(x, (uint32_t)(s % PEERS), 1000000 + s, BROADCAST, &not_learned), DROP_NONE);
        refused += not_learned == DROP_FDB_FULL;
    }
    assert_int_equal(refused, ENTRIES / 8);
    for (uint64_t s = 0; s < ENTRIES; s++)
        out(x, s, BROADCAST);
    assert_int_equal(count(x), ENTRIES);
    assert_int_equal(out(x, 1, 2), SWITCH_PORT_DEVICE);
}

static void newcomer_gets_its_share_of_a_crowded_table(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;
    unsigned fair = (ENTRIES - ENTRIES / 8) / 5, learned = 0;

    crowd(x);
    size_t before = count(x);
    for (uint64_t s = 1; s <= 2 * fair; s++) {
        assert_int_equal(in_full(x, 5, s, 0, &not_learned), DROP_NONE);
        assert_int_equal(where(x, s), not_learned ? SWITCH_PORT_FLOOD : 5);
        learned += !not_learned;
    }
    assert_int_equal(learned, fair); /* and no more */
    assert_int_equal(count(x), before);
}

static void crowd_at_its_share_takes_nothing_back(void **state)
{
    struct fixture *x = *state;
    enum drop not_learned;
    unsigned fair = (ENTRIES - ENTRIES / 8) / 5;

    crowd(x);
    for (uint64_t s = 1; s <= fair; s++)
        assert_int_equal(in(x, 5, s, 0), DROP_NONE);
    for (uint64_t s = 0; s < ENTRIES; s++)
        assert_int_equal(in_full(x, (uint32_t)(s % 4), 2000000 + s, 0, &not_learned), DROP_NONE);
    for (uint64_t s = 1; s <= fair; s++)
        assert_int_equal(where(x, s), 5);
}

static void flood_of_local_addresses_leaves_room_for_peers(void **state)
{
    struct fixture *x = *state;

    for (uint64_t s = 0; s < ENTRIES; s++)
        out(x, 1000000 + s, BROADCAST);
    assert_int_equal(count(x), ENTRIES / 2);
    assert_int_equal(in(x, 1, 100, BROADCAST), DROP_NONE);
}

static void counts_survive_every_kind_of_move(void **state)
{
    struct fixture *x = *state;

    for (uint64_t s = 1; s <= SWITCH_PER_PEER; s++)
        in(x, 1, s, BROADCAST);
    for (uint64_t s = 1; s <= SWITCH_PER_PEER; s++)
        assert_int_equal(in(x, 2, s, BROADCAST), DROP_NONE); /* all move to 2, which leaves 1 empty */
    x->now += 10 * SECOND;
    for (uint64_t s = 1; s <= SWITCH_PER_PEER; s++)
        assert_int_equal(in(x, 1, SWITCH_PER_PEER + s, BROADCAST), DROP_NONE);
    for (uint64_t s = 1; s <= SWITCH_PER_PEER; s++)
        out(x, s, BROADCAST); /* and to us, which leaves 2 empty */
    x->now += 10 * SECOND;
    for (uint64_t s = 1; s <= SWITCH_PER_PEER; s++)
        assert_int_equal(in(x, 2, 3 * SWITCH_PER_PEER + s, BROADCAST), DROP_NONE);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    struct switch_table *sw;

    assert_int_equal(switch_new(0, 100, &secret_source, &sw), ERR_ARGUMENT);
    assert_int_equal(switch_new(SWITCH_PEERS_MAX + 1, 100, &secret_source, &sw), ERR_ARGUMENT);
    assert_int_equal(switch_new(1, 0, &secret_source, &sw), ERR_ARGUMENT);
    assert_null(sw);
    switch_free(NULL);
}

/* ---- storms ---- */

static unsigned passed(struct fixture *x, uint32_t peer, uint64_t dst, unsigned frames)
{
    unsigned n = 0;

    for (unsigned i = 0; i < frames; i++)
        n += in(x, peer, 100 + peer, dst) == DROP_NONE;
    return n;
}

static void storm_is_cut_to_the_budget(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(passed(x, 1, BROADCAST, 50000), SWITCH_STORM_BURST);
    assert_int_equal(passed(x, 2, BROADCAST, 100), 100); /* another peer's budget is its own */
    x->now += SECOND / 2;
    assert_int_equal(passed(x, 1, BROADCAST, 50000), SWITCH_STORM_RATE / 2);
    x->now += 3600 * SECOND;
    assert_int_equal(passed(x, 1, BROADCAST, 50000), SWITCH_STORM_BURST);
}

static void steady_broadcast_below_the_rate_is_never_cut(void **state)
{
    struct fixture *x = *state;

    for (int i = 0; i < 100000; i++, x->now += SECOND / SWITCH_STORM_RATE)
        assert_int_equal(in(x, 1, 100, BROADCAST), DROP_NONE);
}

static void unknown_unicast_and_multicast_count_as_storm(void **state)
{
    struct fixture *x = *state;
    struct switch_frame f = frame(101, 0, 0);
    enum drop not_learned;

    assert_int_equal(passed(x, 1, 4242, 50000), SWITCH_STORM_BURST);
    f.dst[0] = 0x01;
    assert_int_equal(switch_from_peer(x->sw, 1, &f, x->now, &not_learned), DROP_STORM);
}

static void known_unicast_is_never_cut(void **state)
{
    struct fixture *x = *state;

    out(x, 0, BROADCAST);
    assert_int_equal(passed(x, 1, 0, 100000), 100000);
    assert_int_equal(passed(x, 1, BROADCAST, 1), 1);
}

static void storm_teaches_no_addresses(void **state)
{
    struct fixture *x = *state;

    passed(x, 1, BROADCAST, SWITCH_STORM_BURST);
    size_t before = count(x);
    for (uint64_t s = 0; s < 1000; s++)
        assert_int_equal(in(x, 1, 5000 + s, BROADCAST), DROP_STORM);
    assert_int_equal(count(x), before);
}

/* What keeps no path awake, whichever way it went and whether or not it was let in. */
static void flooded_frames_are_counted_for_their_peer_alone(void **state)
{
    struct fixture *x = *state;

    static const uint8_t bpdu[6] = {0x01, 0x80, 0xc2};
    enum drop not_learned;
    out(x, 0, BROADCAST);
    uint32_t before = switch_floods(x->sw, 1).received, others = switch_floods(x->sw, 2).received;
    passed(x, 1, BROADCAST, 3);
    passed(x, 1, 4242, 2); /* unknown */
    passed(x, 1, 0, 10);   /* our own side's */
    struct switch_frame f = {.src = {2, 1}};
    memcpy(f.dst, bpdu, sizeof(bpdu));
    assert_int_equal(switch_from_peer(x->sw, 1, &f, x->now, &not_learned), DROP_BPDU);
    assert_true(switch_may_flood(x->sw, 1, false, true, x->now));
    assert_int_equal(switch_floods(x->sw, 1).received - before, 6);
    assert_int_equal(switch_floods(x->sw, 1).sent, 1);
    assert_int_equal(switch_floods(x->sw, 2).received, others);
    assert_true(switch_may_flood(x->sw, SWITCH_PEERS_MAX, true, true, x->now));
    assert_int_equal(switch_floods(x->sw, SWITCH_PEERS_MAX).sent, 0);
}

static void forgotten_peers_slot_starts_with_a_whole_budget(void **state)
{
    struct fixture *x = *state;

    passed(x, 1, BROADCAST, 50000);
    switch_forget(x->sw, 1);
    assert_int_equal(passed(x, 1, BROADCAST, 50000), SWITCH_STORM_BURST);
}

/* ---- several workers ---- */

struct worker {
    struct fixture *x;
    unsigned number;
    unsigned wrong, delivered;
};

/* Station s is behind peer s % PEERS. */
static void *churn(void *arg)
{
    struct worker *w = arg;
    struct fixture own = *w->x;
    unsigned seed = w->number;
    enum drop not_learned;

    for (int i = 0; i < 100000; i++) {
        uint64_t from = 1000 + (uint64_t)rand_r(&seed) % 6000, to = 1000 + (uint64_t)rand_r(&seed) % 6000;
        own.now = w->x->now + (uint64_t)i * 100;
        if (in_full(&own, (uint32_t)(from % PEERS), from, 0, &not_learned))
            w->wrong++;
        int port = out(&own, 0, to);
        if (port != SWITCH_PORT_FLOOD && port != (int)(to % PEERS))
            w->wrong++;
    }
    return NULL;
}

static unsigned misplaced(struct fixture *x, bool reach)
{
    static struct switch_entry list[ENTRIES];
    size_t n = list_all(x, list, ENTRIES);
    unsigned wrong = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned station = (unsigned)list[i].mac[4] << 8 | list[i].mac[5];
        if (station < 1000)
            continue;
        wrong += list[i].port != (int)(station % PEERS);
        wrong += reach && where(x, station) != list[i].port;
    }
    return wrong;
}

/* TSan watches: workers learn and look up while the control thread forgets and lists. A station is either
 * unknown or where it is, never where another one is; afterwards every address can be reached and none is
 * left over. */
static void workers_learn_while_control_forgets(void **state)
{
    struct fixture *x = *state;
    struct worker workers[3];
    pthread_t threads[3];

    out(x, 0, BROADCAST);
    for (unsigned i = 0; i < 3; i++) {
        workers[i] = (struct worker){.x = x, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < 400; i++) {
        switch_forget(x->sw, i % PEERS);
        switch_age(x->sw, x->now);
        assert_int_equal(misplaced(x, false), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
    assert_int_equal(misplaced(x, true), 0);
    for (uint32_t peer = 0; peer < PEERS; peer++)
        switch_forget(x->sw, peer);
    assert_int_equal(count(x), 1);
    for (uint64_t s = 0; s < SWITCH_PER_PEER; s++)
        assert_int_equal(in(x, 1, 10000 + s, 0), DROP_NONE);
}

static pthread_barrier_t start;

static void *learn_all(void *arg)
{
    struct worker *w = arg;
    enum drop not_learned;

    pthread_barrier_wait(&start);
    for (uint64_t s = 0; s < SWITCH_PER_PEER / 2; s++)
        w->wrong += in_full(w->x, 1, 1000 + s, 0, &not_learned) || not_learned;
    return NULL;
}

static void address_that_workers_meet_at_once_is_learned_once(void **state)
{
    struct fixture *x = *state;
    struct worker workers[3];
    pthread_t threads[3];

    out(x, 0, BROADCAST);
    for (int round = 0; round < 20; round++) {
        assert_int_equal(pthread_barrier_init(&start, NULL, 3), 0);
        for (unsigned i = 0; i < 3; i++) {
            workers[i] = (struct worker){.x = x, .number = i};
            assert_int_equal(pthread_create(&threads[i], NULL, learn_all, &workers[i]), 0);
        }
        for (unsigned i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(workers[i].wrong, 0);
        }
        pthread_barrier_destroy(&start);
        assert_int_equal(count(x), 1 + SWITCH_PER_PEER / 2);
        switch_forget(x->sw, 1);
        assert_int_equal(count(x), 1);
    }
}

static void *storm(void *arg)
{
    struct worker *w = arg;
    struct switch_frame f = frame(100 + w->number, BROADCAST, 0);
    enum drop not_learned;

    for (int i = 0; i < 30000; i++)
        w->delivered += switch_from_peer(w->x->sw, 1, &f, w->x->now, &not_learned) == DROP_NONE;
    return NULL;
}

static void workers_share_one_storm_budget(void **state)
{
    struct fixture *x = *state;
    struct worker workers[3];
    pthread_t threads[3];
    unsigned sum = 0;

    for (unsigned i = 0; i < 3; i++) {
        workers[i] = (struct worker){.x = x, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, storm, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        sum += workers[i].delivered;
    }
    assert_int_equal(sum, SWITCH_STORM_BURST);
}

#define switch_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_reads_plain_and_tagged_frames),
        cmocka_unit_test(parse_refuses_runts_and_group_sources),
        cmocka_unit_test(impossible_sizes_are_refused),
        switch_test(unknown_and_group_destinations_flood),
        switch_test(source_of_a_peers_frame_is_learned),
        switch_test(destination_on_our_own_side_is_not_sent),
        switch_test(vlans_are_told_apart),
        switch_test(unknown_slot_teaches_nothing),
        switch_test(bridges_own_frames_pass_in_neither_direction),
        switch_test(bridges_own_frames_pass_for_who_wants_them),
        switch_test(refused_bridges_frame_teaches_nothing),
        switch_test(own_address_from_a_peer_is_refused),
        switch_test(station_that_went_to_a_peer_is_found_there),
        switch_test(station_that_came_to_us_is_taken_over_at_once),
        switch_test(station_that_left_without_a_word_is_looked_for_everywhere),
        switch_test(silent_device_is_looked_for_nowhere),
        switch_test(our_stations_frames_that_come_back_are_refused),
        switch_test(thief_has_a_station_that_speaks_for_a_tenth_of_the_time),
        switch_test(station_that_speaks_often_is_never_stolen),
        switch_test(silent_device_keeps_its_own_address),
        switch_test(learned_address_moves_three_times_and_then_stays),
        switch_test(two_peers_that_fight_move_an_address_three_times_in_ten_seconds),
        switch_test(moves_are_counted_for_a_worker_a_little_behind),
        switch_test(announced_address_is_its_peers_in_every_vlan),
        switch_test(announcing_takes_back_what_another_peer_taught),
        switch_test(address_announced_twice_stays_with_the_first),
        switch_test(address_announced_twice_goes_to_the_second_when_the_first_is_gone),
        switch_test(address_goes_back_when_the_one_that_it_is_made_from_is_gone),
        switch_test(those_who_wait_for_addresses_are_bounded),
        switch_test(address_made_from_its_peers_id_is_nobody_elses),
        switch_test(peer_announces_neither_ours_nor_nobodys),
        switch_test(announced_address_has_room_where_its_peer_has_none),
        switch_test(address_not_seen_for_long_is_removed),
        switch_test(clock_of_a_worker_a_little_ahead_ages_nothing),
        switch_test(forgotten_peer_leaves_the_others_alone),
        switch_test(list_shows_every_address_with_its_age),
        switch_test(list_in_pieces_has_every_address_once),
        switch_test(years_of_churn_leave_the_table_sound),
        switch_test(peer_over_its_cap_is_passed_but_not_learned),
        switch_test(all_peers_together_leave_room_for_our_side),
        switch_test(newcomer_gets_its_share_of_a_crowded_table),
        switch_test(crowd_at_its_share_takes_nothing_back),
        switch_test(flood_of_local_addresses_leaves_room_for_peers),
        switch_test(counts_survive_every_kind_of_move),
        switch_test(storm_is_cut_to_the_budget),
        switch_test(steady_broadcast_below_the_rate_is_never_cut),
        switch_test(unknown_unicast_and_multicast_count_as_storm),
        switch_test(known_unicast_is_never_cut),
        switch_test(storm_teaches_no_addresses),
        switch_test(flooded_frames_are_counted_for_their_peer_alone),
        switch_test(forgotten_peers_slot_starts_with_a_whole_budget),
        switch_test(workers_learn_while_control_forgets),
        switch_test(address_that_workers_meet_at_once_is_learned_once),
        switch_test(workers_share_one_storm_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
