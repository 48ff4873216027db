/* SPDX-License-Identifier: Apache-2.0 */
/* A stream over datagrams that get lost, come twice and overtake each other, and a peer that lies. Times are virtual. */

#include "proto/stream/stream_set.h"

#include "base/clock.h"
#include "proto/wire/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUMBER  6
#define CONN    1
#define RTT_US  50000ull
#define FLIGHT  9200 /* bytes: what one side says in a handshake */
#define TEXT    60000
#define ON_WAY  256
#define STEP_US 1000ull

static uint64_t seed;

static unsigned below(unsigned bound)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(seed >> 33) % bound;
}

struct weather {
    unsigned loss, twice, late; /* of 100 datagrams */
};

struct packet {
    uint64_t at_us; /* 0: free */
    bool is_answer;
    struct segment segment;
    struct segment_answer answer;
};

/* One direction: a sends, b receives. */
struct pipe {
    struct weather weather;
    struct session_stream *a, *b;
    struct packet on_way[ON_WAY];
    uint64_t now_us;
    unsigned sent;
    uint8_t out[TEXT];
    size_t out_len;
    bool ended;
};

static struct pipe *open_pipe(const struct weather *weather)
{
    struct pipe *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    seed = 1;
    p->weather = *weather;
    p->now_us = USEC_PER_SEC;
    p->a = session_stream_new(NUMBER, CONN, true, RTT_US);
    p->b = session_stream_new(NUMBER, CONN, false, RTT_US);
    assert_true(p->a && p->b);
    return p;
}

static void close_pipe(struct pipe *p)
{
    session_stream_free(p->a);
    session_stream_free(p->b);
    free(p);
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static void write_text(struct session_stream *s, size_t len)
{
    static uint8_t text[TEXT];
    for (size_t i = 0; i < len; i++)
        text[i] = byte_at(i);
    assert_int_equal(stream_sender_write(&s->out, text, len), 0);
}

static void launch(struct pipe *p, struct packet packet)
{
    p->sent++;
    unsigned copies = below(100) < p->weather.twice ? 2 : 1;
    for (; copies > 0; copies--) {
        if (below(100) < p->weather.loss)
            continue;
        packet.at_us = p->now_us + RTT_US / 2 + (below(100) < p->weather.late ? below(40) * STEP_US : 0);
        unsigned i = 0;
        while (i < ON_WAY && p->on_way[i].at_us)
            i++;
        assert_true(i < ON_WAY);
        p->on_way[i] = packet;
    }
}

static void take_out(struct pipe *p)
{
    struct stream_piece *piece;
    while ((piece = stream_receiver_take(&p->b->in))) {
        assert_false(p->ended);
        size_t len = piece->len - piece->skip;
        assert_true(len <= sizeof(p->out) - p->out_len);
        memcpy(p->out + p->out_len, piece->data + piece->skip, len);
        p->out_len += len;
        p->ended |= piece->last;
        free(piece);
    }
}

static void arrive(struct pipe *p, const struct packet *packet)
{
    if (packet->is_answer) {
        assert_int_equal(stream_sender_on_answer(&p->a->out, &packet->answer, p->now_us), 0);
        return;
    }
    struct packet back = {.is_answer = true};
    if (session_stream_on_segment(p->b, &packet->segment, &back.answer))
        return;
    assert_true(p->b->in.count <= STREAM_HELD_MAX + 1);
    take_out(p);
    launch(p, back);
}

static void step(struct pipe *p)
{
    for (unsigned i = 0; i < ON_WAY; i++) {
        if (!p->on_way[i].at_us || p->on_way[i].at_us > p->now_us)
            continue;
        const struct packet packet = p->on_way[i];
        p->on_way[i].at_us = 0;
        arrive(p, &packet);
    }
    struct packet packet = {0};
    while (stream_sender_next(&p->a->out, MESSAGE_SEGMENT_MAX, p->now_us, &packet.segment))
        launch(p, packet);
    assert_true(p->a->out.flights <= STREAM_FLIGHT_MAX);
    p->now_us += STEP_US;
}

/* How long it takes. */
static uint64_t run(struct pipe *p, uint64_t most_us)
{
    uint64_t begin_us = p->now_us;
    while (p->now_us < begin_us + most_us && !stream_sender_is_done(&p->a->out))
        step(p);
    return p->now_us - begin_us;
}

static void assert_arrived(const struct pipe *p, size_t len)
{
    assert_int_equal(p->out_len, len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(p->out[i], byte_at(i));
    assert_true(p->ended);
}

static void a_flight_crosses_in_one_round_trip(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    write_text(p->a, FLIGHT);
    stream_sender_end(&p->a->out);
    assert_in_range(run(p, USEC_PER_SEC), RTT_US, RTT_US + 4 * STEP_US);
    assert_arrived(p, FLIGHT);
    assert_int_equal(p->sent, 2 * ((FLIGHT + MESSAGE_SEGMENT_MAX - 1) / MESSAGE_SEGMENT_MAX));
    close_pipe(p);
}

static void bytes_arrive_in_order_whatever_the_network_does(void **state)
{
    (void)state;
    static const struct weather weathers[] = {{30, 0, 0}, {0, 0, 50}, {0, 50, 0}, {30, 20, 50}, {60, 0, 0}};
    for (size_t i = 0; i < sizeof(weathers) / sizeof(weathers[0]); i++) {
        struct pipe *p = open_pipe(&weathers[i]);
        write_text(p->a, TEXT);
        stream_sender_end(&p->a->out);
        run(p, 60 * USEC_PER_SEC);
        assert_arrived(p, TEXT);
        close_pipe(p);
    }
}

static void a_handshake_survives_a_third_lost(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){.loss = 30});
    uint64_t worst_us = 0;
    for (unsigned i = 0; i < 50; i++) {
        uint64_t drawn = seed;
        close_pipe(p);
        p = open_pipe(&(struct weather){.loss = 30});
        seed = drawn;
        write_text(p->a, FLIGHT);
        stream_sender_end(&p->a->out);
        uint64_t took_us = run(p, 10 * USEC_PER_SEC);
        worst_us = took_us > worst_us ? took_us : worst_us;
        assert_arrived(p, FLIGHT);
    }
    assert_in_range(worst_us, 0, 5 * USEC_PER_SEC); /* what a handshake has */
    close_pipe(p);
}

/* Three later ones that were answered tell of it: within two round trips, before its answer is overdue. */
static void a_lost_segment_is_repeated_before_it_is_overdue(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    p->a->out.rtt_us = 10 * RTT_US;
    write_text(p->a, FLIGHT);
    stream_sender_end(&p->a->out);
    step(p);
    p->on_way[0].at_us = 0;
    assert_in_range(run(p, 10 * USEC_PER_SEC), RTT_US, 2 * RTT_US + 4 * STEP_US);
    assert_arrived(p, FLIGHT);
    close_pipe(p);
}

static void a_lost_answer_costs_one_repetition_and_nothing_twice(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    write_text(p->a, 100);
    stream_sender_end(&p->a->out);
    while (!p->ended)
        step(p);
    for (unsigned i = 0; i < ON_WAY; i++)
        p->on_way[i].at_us = 0;
    run(p, USEC_PER_SEC);
    assert_true(stream_sender_is_done(&p->a->out));
    assert_arrived(p, 100);
    assert_int_equal(p->sent, 4);
    close_pipe(p);
}

static unsigned flood(struct pipe *p, uint64_t seconds)
{
    struct segment s;
    unsigned sent = 0;
    for (uint64_t end_us = p->now_us + seconds * USEC_PER_SEC; p->now_us < end_us; p->now_us += STEP_US)
        while (stream_sender_next(&p->a->out, MESSAGE_SEGMENT_MAX, p->now_us, &s))
            sent++;
    return sent;
}

static void who_answers_nothing_at_all_is_given_up_soon(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    write_text(p->a, TEXT);
    flood(p, 1);
    assert_false(session_stream_is_over(p->a, p->now_us));
    assert_true(session_stream_is_over(p->a, p->now_us + 4 * RTT_US));
    close_pipe(p);
}

/* It has heard one. */
static void who_ceases_to_answer_gets_few_segments_and_then_none(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    write_text(p->a, TEXT);
    struct segment first;
    assert_true(stream_sender_next(&p->a->out, 1, p->now_us, &first));
    assert_int_equal(stream_sender_on_answer(&p->a->out, &(struct segment_answer){NUMBER, 0, 1}, p->now_us),
                     0);
    assert_in_range(flood(p, 9), STREAM_FLIGHT_MAX, 22 * STREAM_FLIGHT_MAX);
    assert_false(session_stream_is_over(p->a, p->now_us));
    flood(p, 2);
    assert_true(session_stream_is_over(p->a, p->now_us));
    close_pipe(p);
}

static void answers_that_move_nothing_keep_no_stream_alive(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    write_text(p->a, TEXT);
    for (unsigned i = 0; i < 11; i++) {
        flood(p, 1);
        const struct segment_answer again = {.stream = NUMBER, .offset = 7};
        assert_int_equal(stream_sender_on_answer(&p->a->out, &again, p->now_us), 0);
    }
    assert_true(session_stream_is_over(p->a, p->now_us));
    close_pipe(p);
}

static void no_more_than_a_window_is_written_to_who_does_not_answer(void **state)
{
    (void)state;
    static const uint8_t bytes[STREAM_WINDOW];
    struct pipe *p = open_pipe(&(struct weather){0});
    assert_int_equal(stream_sender_write(&p->a->out, bytes, sizeof(bytes)), 0);
    assert_int_equal(stream_sender_write(&p->a->out, bytes, 1), ERR_SPACE);
    stream_sender_end(&p->a->out);
    assert_int_equal(stream_sender_write(&p->a->out, bytes, 0), ERR_SPACE);
    close_pipe(p);
}

static void an_answer_for_what_was_never_sent_is_refused(void **state)
{
    (void)state;
    static const struct segment_answer lies[] = {
        {NUMBER, 0, 101}, {NUMBER, 101, 0}, {NUMBER, UINT64_MAX, 0}, {NUMBER, 0, UINT64_MAX}};
    struct pipe *p = open_pipe(&(struct weather){0});
    struct segment s;
    write_text(p->a, 100);
    assert_true(stream_sender_next(&p->a->out, MESSAGE_SEGMENT_MAX, p->now_us, &s));
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        assert_int_equal(stream_sender_on_answer(&p->a->out, &lies[i], p->now_us), ERR_FORMAT);
    assert_int_equal(p->a->out.len, 100);
    close_pipe(p);
}

static int give(struct session_stream *s, uint64_t offset, uint16_t len, uint8_t flags)
{
    struct segment in = {.stream = NUMBER, .offset = offset, .len = len, .flags = flags};
    struct segment_answer answer;
    return session_stream_on_segment(s, &in, &answer);
}

static void forged_offsets_are_refused(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    assert_int_equal(give(p->b, STREAM_WINDOW, 1, 0), ERR_FORMAT);
    assert_int_equal(give(p->b, UINT64_MAX, 1, 0), ERR_FORMAT);
    assert_int_equal(give(p->b, UINT64_MAX, 0, SEGMENT_LAST), ERR_FORMAT);
    assert_int_equal(give(p->b, 0, 0, 0), ERR_FORMAT);
    assert_int_equal(give(p->b, STREAM_WINDOW - 1, 1, 0), 0);
    assert_int_equal(p->b->in.count, 1);
    close_pipe(p);
}

static void nothing_comes_behind_the_last_byte(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    assert_int_equal(give(p->b, 10, 10, SEGMENT_LAST), 0);
    assert_int_equal(give(p->b, 20, 1, 0), ERR_FORMAT);
    assert_int_equal(give(p->b, 15, 10, 0), ERR_FORMAT);
    assert_int_equal(give(p->b, 10, 5, SEGMENT_LAST), ERR_FORMAT);
    assert_int_equal(give(p->b, 10, 10, SEGMENT_LAST), 0);
    close_pipe(p);
}

static void what_comes_early_is_held_up_to_a_bound(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    for (unsigned i = 0; i < STREAM_HELD_MAX; i++)
        assert_int_equal(give(p->b, 10 + i, 1, 0), 0);
    assert_int_equal(give(p->b, 1000, 1, 0), ERR_SPACE);
    assert_int_equal(give(p->b, 10, 1, 0), 0); /* it is there */
    assert_int_equal(give(p->b, 0, 10, 0), 0);
    take_out(p);
    assert_int_equal(p->out_len, 10 + STREAM_HELD_MAX);
    assert_int_equal(p->b->in.count, 0);
    close_pipe(p);
}

static void segments_that_overlap_give_each_byte_once(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    assert_int_equal(give(p->b, 5, 10, 0), 0);
    assert_int_equal(give(p->b, 8, 2, 0), 0);
    assert_int_equal(give(p->b, 0, 7, 0), 0);
    take_out(p);
    assert_int_equal(p->out_len, 15);
    assert_int_equal(give(p->b, 10, 10, SEGMENT_LAST), 0);
    take_out(p);
    assert_int_equal(p->out_len, 20);
    assert_true(p->ended);
    close_pipe(p);
}

static void first_is_said_until_something_was_answered(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){0});
    struct segment one, two;
    write_text(p->a, 10);
    assert_true(stream_sender_next(&p->a->out, 5, p->now_us, &one));
    assert_true(stream_sender_next(&p->a->out, 5, p->now_us, &two));
    assert_true(one.flags & two.flags & SEGMENT_FIRST);
    const struct segment_answer answer = {NUMBER, two.offset, 0};
    assert_int_equal(stream_sender_on_answer(&p->a->out, &answer, p->now_us), 0);
    assert_false(stream_sender_next(&p->a->out, 5, p->now_us, &one));
    assert_true(stream_sender_next(&p->a->out, 5, p->now_us + USEC_PER_SEC, &one));
    assert_int_equal(one.offset, 0);
    assert_false(one.flags & SEGMENT_FIRST);
    close_pipe(p);
}

static void one_that_was_let_go_says_what_it_has_and_ends(void **state)
{
    (void)state;
    struct pipe *p = open_pipe(&(struct weather){.loss = 30});
    write_text(p->a, 5000);
    session_stream_let_go(p->a);
    run(p, STREAM_LINGER_US);
    assert_arrived(p, 5000);
    assert_true(session_stream_is_over(p->a, p->now_us));
    session_stream_let_go(p->b);
    assert_false(session_stream_is_over(p->b, p->now_us));
    assert_int_equal(session_stream_deadline(p->b), 0);
    assert_true(session_stream_is_over(p->b, p->now_us + STREAM_LINGER_US));
    close_pipe(p);
}

static struct session_stream *numbered(uint32_t number, bool ours)
{
    struct session_stream *s = session_stream_new(number, number, ours, 0);
    assert_non_null(s);
    return s;
}

static void a_set_has_a_place_for_so_many_of_each_side(void **state)
{
    (void)state;
    struct stream_set *set = stream_set_new();
    assert_non_null(set);
    for (uint32_t i = 1; i <= STREAM_SET_THEIRS; i++)
        assert_true(stream_set_add(set, numbered(i, false)));
    struct session_stream *more = numbered(100, false);
    assert_false(stream_set_has_room(set));
    assert_false(stream_set_add(set, more));
    session_stream_free(more);
    assert_true(stream_set_add(set, numbered(101, true)));
    assert_int_equal(stream_set_by_number(set, 2)->conn, 2);
    assert_int_equal(stream_set_by_conn(set, 101)->ours, true);
    stream_set_remove(set, stream_set_by_number(set, 2));
    assert_null(stream_set_by_number(set, 2));
    assert_true(stream_set_has_room(set));
    assert_int_equal(stream_set_deadline(set), TIME_NEVER);
    stream_set_free(set);
}

/* A datagram of the base size has room for a whole one and what is around it. */
static void the_largest_segment_fits_the_base_size(void **state)
{
    (void)state;
    static uint8_t encoded[MESSAGE_MAX];
    struct message m = {.type = MESSAGE_STREAM};
    m.segment =
        (struct segment){UINT32_MAX, SEGMENT_FIRST | SEGMENT_LAST, UINT64_MAX, MESSAGE_SEGMENT_MAX, {1}};
    struct writer w = writer_init(encoded, sizeof(encoded));
    message_encode(&m, &w);
    assert_in_range(writer_len(&w), MESSAGE_SEGMENT_MAX, WIRE_BASE_SIZE - WIRE_OVERHEAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flight_crosses_in_one_round_trip),
        cmocka_unit_test(bytes_arrive_in_order_whatever_the_network_does),
        cmocka_unit_test(a_handshake_survives_a_third_lost),
        cmocka_unit_test(a_lost_segment_is_repeated_before_it_is_overdue),
        cmocka_unit_test(a_lost_answer_costs_one_repetition_and_nothing_twice),
        cmocka_unit_test(who_answers_nothing_at_all_is_given_up_soon),
        cmocka_unit_test(who_ceases_to_answer_gets_few_segments_and_then_none),
        cmocka_unit_test(answers_that_move_nothing_keep_no_stream_alive),
        cmocka_unit_test(no_more_than_a_window_is_written_to_who_does_not_answer),
        cmocka_unit_test(an_answer_for_what_was_never_sent_is_refused),
        cmocka_unit_test(forged_offsets_are_refused),
        cmocka_unit_test(nothing_comes_behind_the_last_byte),
        cmocka_unit_test(what_comes_early_is_held_up_to_a_bound),
        cmocka_unit_test(segments_that_overlap_give_each_byte_once),
        cmocka_unit_test(first_is_said_until_something_was_answered),
        cmocka_unit_test(one_that_was_let_go_says_what_it_has_and_ends),
        cmocka_unit_test(a_set_has_a_place_for_so_many_of_each_side),
        cmocka_unit_test(the_largest_segment_fits_the_base_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
