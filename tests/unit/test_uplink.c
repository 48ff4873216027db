/* SPDX-License-Identifier: Apache-2.0 */
/* backbone/uplink: proof, places, liveness and the ends of an uplink. */

#include "uplink_lab.h"

static struct identity *fresh(struct node *n)
{
    assert_int_equal(identity_generate(&n->me), 0);
    return n->me;
}

static void ping(struct node *n)
{
    uint8_t framed[32];
    uplink_read(n->uplink, framed, lab_frame(0x89, (const uint8_t *)"hi", 2, framed));
    lab_settle();
}

static void who_proves_its_key_is_welcome(void **state)
{
    (void)state;
    struct node *n = lab_connect("192.0.2.1");
    n->uplink->source.port = 4711;
    prove_with(n, fresh(n), LAB_HOST);
    struct uplink_message m = hears(n, UPLINK_WELCOME);
    assert_true(m.observed.family == 4 && m.observed.port == 4711 && m.observed.ip[0] == 192);
    assert_true(m.streams == UPLINK_STREAMS && m.pairs == UPLINK_PAIRS && m.credit == UPLINK_WINDOW);
    assert_ptr_equal(uplink_hub_find(&hub, &n->id), n->uplink);
    assert_int_equal(metrics.proven, 1);
    assert_int_equal(metrics.verified, 1);
}

static void proof_of_another_challenge_key_or_name_is_refused(void **state)
{
    (void)state;
    assert_null(uplink_names_add(&config.names, LAB_HOST));
    struct node *replay = lab_connect("192.0.2.1");
    replay->challenge[0] ^= 1;
    prove_with(replay, fresh(replay), LAB_HOST);
    hears_end(replay, UPLINK_CLOSE_UNPROVEN);
    struct node *elsewhere = lab_connect("192.0.2.1");
    prove_with(elsewhere, fresh(elsewhere), "other.example");
    hears_end(elsewhere, UPLINK_CLOSE_UNPROVEN);
    assert_int_equal(metrics.ended[UPLINK_ENDED_UNPROVEN], 2);
    assert_int_equal(metrics.verified, 1); /* what names another backbone costs no signature */
    struct node *good = lab_connect("192.0.2.1");
    prove_with(good, fresh(good), LAB_HOST ":8080");
    hears(good, UPLINK_WELCOME);
}

static void nothing_but_a_proof_is_taken_before_it(void **state)
{
    (void)state;
    static uint8_t much[UPLINK_EARLY_BYTES + 1] = {UPLINK_PROVE};
    const struct uplink_message pair = {.kind = UPLINK_PAIR, .on = true};
    struct node *early = lab_connect("192.0.2.1"), *large = lab_connect("192.0.2.1"),
                *twice = lab_connect("192.0.2.1");
    say(early, &pair);
    hears_end(early, UPLINK_CLOSE_UNPROVEN);
    say_bytes(large, much, sizeof(much));
    hears_end(large, UPLINK_CLOSE_UNPROVEN);
    uint8_t framed[64];
    struct uplink *u = twice->uplink;
    for (int i = 0; i < 400; i++) /* pings cost of the same 8 KiB */
        if (u->state == UPLINK_PROVING)
            uplink_read(u, framed, lab_frame(0x89, (const uint8_t *)"0123456789012345678901234", 25, framed));
    assert_int_equal(u->state, UPLINK_CLOSING);
}

static void slow_proof_is_none(void **state)
{
    (void)state;
    struct node *n = lab_connect("192.0.2.1");
    lab_pass(UPLINK_PROVE_US - 1);
    hears_nothing(n);
    lab_pass(1);
    hears_end(n, UPLINK_CLOSE_UNPROVEN);
    assert_non_null(n->uplink);
    lab_pass(UPLINK_LINGER_US); /* it does not close its end */
    assert_null(n->uplink);
}

static void newer_connection_with_a_key_replaces_the_older(void **state)
{
    (void)state;
    struct node *older = lab_join("192.0.2.1"), *newer = lab_connect("198.51.100.1");
    prove_with(newer, older->me, LAB_HOST);
    hears_end(older, UPLINK_CLOSE_REPLACED);
    hears(newer, UPLINK_WELCOME);
    assert_ptr_equal(uplink_hub_find(&hub, &newer->id), newer->uplink);
    assert_int_equal(metrics.proven, 1);
}

/* "+" came, "-" has gone, in order. */
static char presences[16];

static void note_presence(void *context, const struct node_id *id, bool on)
{
    const struct node_id *expected = context;
    assert_true(expected->bytes[0] == 0 || id_compare(expected, id) == 0);
    strcat(presences, on ? "+" : "-");
}

static void who_comes_and_goes_is_told_and_stays_when_it_is_replaced(void **state)
{
    (void)state;
    static struct node_id whose;
    presences[0] = '\0';
    whose = (struct node_id){{0}};
    config.present = note_presence;
    config.present_context = &whose;
    struct node *unproven = lab_connect("192.0.2.9");
    struct node *older = lab_join("192.0.2.1"), *newer = lab_connect("198.51.100.1");
    assert_string_equal(presences, "+");
    whose = older->id;
    prove_with(newer, older->me, LAB_HOST);
    assert_string_equal(presences, "+-+"); /* last it is here */
    uplink_lose(unproven->uplink);
    uplink_lose(newer->uplink);
    lab_settle();
    assert_string_equal(presences, "+-+-");
}

static struct node *visit_of(struct node *at_home)
{
    struct node *visitor = lab_connect_as("198.51.100.1", true);
    prove_with(visitor, at_home->me, LAB_HOST);
    return visitor;
}

static void visit_is_met_there_and_nobody_is_told_of_it(void **state)
{
    (void)state;
    static struct node_id anybody; /* told of until the lab ends */
    presences[0] = '\0';
    config.present = note_presence;
    config.present_context = &anybody;
    struct node *other = lab_join("192.0.2.1"), *visitor = lab_connect_as("198.51.100.1", true);
    prove_with(visitor, fresh(visitor), LAB_HOST);
    hears(visitor, UPLINK_WELCOME);
    lab_pair(other, visitor);
    uplink_lose(visitor->uplink);
    lab_settle();
    assert_string_equal(presences, "+");
}

static void visit_leaves_the_place_to_who_is_at_home_there(void **state)
{
    (void)state;
    struct node *home = lab_join("192.0.2.1");
    hears_end(visit_of(home), UPLINK_CLOSE_REPLACED);
    hears_nothing(home);
    hub.now_us += UPLINK_LIVELY_US; /* it may be gone, and we have not heard */
    struct node *visitor = visit_of(home), *again = lab_connect("192.0.2.1");
    hears(visitor, UPLINK_WELCOME);
    hears_end(home, UPLINK_CLOSE_REPLACED);
    prove_with(again, home->me, LAB_HOST);
    hears(again, UPLINK_WELCOME);
    hears_end(visitor, UPLINK_CLOSE_REPLACED);
}

static void source_has_64_places_and_keeps_those_that_it_has(void **state)
{
    (void)state;
    struct node *first = lab_join("192.0.2.1");
    for (unsigned i = 1; i < UPLINK_PER_SOURCE_MAX; i++)
        lab_join("192.0.2.1");
    struct node *late = lab_connect("192.0.2.1"), *neighbour = lab_connect("192.0.2.2");
    prove_with(late, fresh(late), LAB_HOST);
    hears_end(late, UPLINK_CLOSE_FULL);
    prove_with(neighbour, fresh(neighbour), LAB_HOST);
    hears(neighbour, UPLINK_WELCOME);
    struct node *again = lab_connect("192.0.2.1"); /* one of the 64 comes back */
    prove_with(again, first->me, LAB_HOST);
    hears(again, UPLINK_WELCOME);
}

static void unproven_connections_of_a_source_push_each_other_out(void **state)
{
    (void)state;
    struct node *proven = lab_join("192.0.2.1"), *oldest = lab_connect("192.0.2.1");
    lab_pass(1);
    for (unsigned i = 0; i < UPLINK_PER_SOURCE_MAX; i++)
        lab_connect("192.0.2.1");
    hears_end(oldest, UPLINK_CLOSE_FULL);
    hears_nothing(proven);
}

static void silent_node_is_cut_and_one_that_pings_stays(void **state)
{
    (void)state;
    struct node *silent = lab_join("192.0.2.1"), *alive = lab_join("198.51.100.1");
    for (int i = 0; i < 5; i++) {
        lab_pass(20 * USEC_PER_SEC);
        ping(alive);
    }
    hears_end(silent, UPLINK_CLOSE_SLOW);
    assert_int_equal(metrics.ended[UPLINK_ENDED_SILENT], 1);
    fill(alive);
    assert_memory_equal(alive->in, "\x8a\x02hi", 4);
    assert_int_equal(alive->uplink->state, UPLINK_UP);
}

static void node_that_reads_nothing_is_cut(void **state)
{
    (void)state;
    struct node *n = lab_join("192.0.2.1");
    const struct uplink_message m = {.kind = UPLINK_LIMITED, .code = UPLINK_LIMITED_STREAMS};
    while (!n->uplink->out.blocked) {
        uplink_say(n->uplink, &m);
        lab_settle();
    }
    lab_pass(UPLINK_STALL_US / 2);
    ping(n); /* it speaks, and reads nothing */
    assert_int_equal(n->uplink->state, UPLINK_UP);
    lab_pass(UPLINK_STALL_US / 2);
    assert_int_equal(n->uplink->state, UPLINK_CLOSING);
    assert_int_equal(metrics.ended[UPLINK_ENDED_SLOW], 1);
}

static void what_waits_for_a_node_is_bounded(void **state)
{
    (void)state;
    static uint8_t bytes[UPLINK_DATA_MAX];
    struct node *n = lab_join("192.0.2.1");
    const struct uplink_message m = {.kind = UPLINK_DATA, .stream = 2, .data = {bytes, sizeof(bytes)}};
    unsigned said = 0;
    for (; n->uplink->state == UPLINK_UP && said < 1000; said++) {
        uplink_say(n->uplink, &m);
        lab_settle();
    }
    assert_in_range(said, UPLINK_WAITING_MAX / UPLINK_DATA_MAX, 2 * UPLINK_WAITING_MAX / UPLINK_DATA_MAX);
    assert_true(hub.waiting <= WEBSOCKET_CONTROL_MAX);
    hears_end(n, UPLINK_CLOSE_SLOW);
}

static void malformed_and_later_messages_are_told_apart(void **state)
{
    (void)state;
    static const uint8_t later[] = {200, 1, 2, 3}, malformed[] = {UPLINK_PAIR, 1};
    struct node *n = lab_join("192.0.2.1"), *again = lab_join("192.0.2.1");
    say_bytes(n, later, sizeof(later));
    hears_nothing(n);
    say_bytes(n, malformed, sizeof(malformed));
    hears_end(n, UPLINK_CLOSE_MALFORMED);
    prove_with(again, again->me, LAB_HOST); /* a second time */
    hears_end(again, UPLINK_CLOSE_MALFORMED);
}

static void flood_of_messages_ends_the_uplink(void **state)
{
    (void)state;
    struct node *n = lab_join("192.0.2.1");
    const struct uplink_message m = {.kind = UPLINK_CREDIT, .stream = 1, .credit = 1};
    unsigned said = 0;
    for (; n->uplink->state == UPLINK_UP && said < 20000; said++)
        say(n, &m);
    assert_in_range(said, 8192, 8194);
    hears_end(n, UPLINK_CLOSE_MALFORMED);
}

static void close_frame_of_a_node_is_answered(void **state)
{
    (void)state;
    struct node *n = lab_join("192.0.2.1");
    uint8_t framed[32];
    uplink_read(n->uplink, framed, lab_frame(0x88, (const uint8_t *)"\x03\xe8", 2, framed));
    hears_end(n, UPLINK_CLOSE_NORMAL);
    assert_int_equal(recv(n->fd, framed, 1, MSG_DONTWAIT), 0); /* the end of the stream */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_lab(who_proves_its_key_is_welcome),
        with_lab(proof_of_another_challenge_key_or_name_is_refused),
        with_lab(nothing_but_a_proof_is_taken_before_it),
        with_lab(slow_proof_is_none),
        with_lab(newer_connection_with_a_key_replaces_the_older),
        with_lab(who_comes_and_goes_is_told_and_stays_when_it_is_replaced),
        with_lab(visit_is_met_there_and_nobody_is_told_of_it),
        with_lab(visit_leaves_the_place_to_who_is_at_home_there),
        with_lab(source_has_64_places_and_keeps_those_that_it_has),
        with_lab(unproven_connections_of_a_source_push_each_other_out),
        with_lab(silent_node_is_cut_and_one_that_pings_stays),
        with_lab(node_that_reads_nothing_is_cut),
        with_lab(what_waits_for_a_node_is_bounded),
        with_lab(malformed_and_later_messages_are_told_apart),
        with_lab(flood_of_messages_ends_the_uplink),
        with_lab(close_frame_of_a_node_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
