/* SPDX-License-Identifier: Apache-2.0 */
/* The inquiry into NATs, against a model of a NAT and of servers, honest and lying. */
#include "proto/nat/nat_check.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define START    (1000 * USEC_PER_SEC)
#define RTT_US   20000ull
#define PORT     5000 /* of the main socket; the second one has the next */
#define MAPPED   40000
#define SENT_MAX 256

static struct addr parse(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, 3478, &a), 0);
    return a;
}

/* A NAT in front of two sockets, and what is said behind it. */
struct world {
    bool translates, by_host, by_port; /* each host, resp. port, gets a mapping of its own */
    enum nat_filtering filtering;
    bool hairpins, silent;
    size_t largest;        /* that gets out */
    const char *mapped[2]; /* where servers say that they see each socket; NULL: where it is */
    const char *other;     /* which other address servers tell; NULL: none */
    bool ignores_change;   /* they answer from where they were asked */
    struct nat_check check;
    uint64_t now_us;
    unsigned sent;
    struct nat_check_datagram log[SENT_MAX];
};

static void count_up(void *context, void *out, size_t len)
{
    uint8_t *next = context;
    memset(out, ++*next, len);
}

static uint8_t counter;

static struct addr mapped_of(const struct world *w, enum nat_check_socket socket, const struct addr *to)
{
    struct addr a = parse(w->translates ? "198.51.100.2" : "192.0.2.7");
    a.port = (uint16_t)((w->translates ? MAPPED : PORT) + 100 * socket);
    if (w->by_host)
        a.port = (uint16_t)(a.port + 7 * to->ip[3]);
    if (w->by_port)
        a.port = (uint16_t)(a.port + to->port % 10);
    return a;
}

/* Whether what from sends to a socket's mapping comes in. */
static bool lets_in(const struct world *w, enum nat_check_socket socket, const struct addr *from)
{
    for (unsigned i = 0; i < w->sent; i++) {
        const struct nat_check_datagram *d = &w->log[i];
        if (w->filtering == NAT_FILTERING_ENDPOINT_INDEPENDENT)
            return true;
        if (d->socket == socket &&
            (w->filtering == NAT_FILTERING_ADDRESS_DEPENDENT ? addr_same_host(&d->to, from)
                                                             : addr_equal(&d->to, from)))
            return true;
    }
    return false;
}

static unsigned change_of(const struct nat_check_datagram *d)
{
    return d->len >= 28 && d->data[20] == 0 && d->data[21] == 3 ? d->data[27] : 0;
}

/* A response with OTHER-ADDRESS, as coturn's. */
static size_t respond(const struct world *w, const struct nat_check_datagram *d, const struct addr *mapped,
                      uint8_t out[STUN_RESPONSE_MAX])
{
    size_t len = stun_response_encode(d->data + 8, mapped, out) - 8; /* without FINGERPRINT */
    if (w->other) {
        const struct addr other = parse(w->other);
        const uint8_t head[] = {0x80, 0x2c, 0, 8, 0, 1, (uint8_t)(other.port >> 8), (uint8_t)other.port};
        memcpy(out + len, head, sizeof(head));
        memcpy(out + len + sizeof(head), other.ip, 4);
        len += 12;
    }
    out[2] = 0;
    out[3] = (uint8_t)(len - 20);
    return len;
}

static void answer(struct world *w, const struct nat_check_datagram *d)
{
    struct addr from = d->to;
    uint8_t out[STUN_RESPONSE_MAX];
    const struct addr mapped =
        w->mapped[d->socket] ? parse(w->mapped[d->socket]) : mapped_of(w, d->socket, &d->to);
    unsigned change = w->ignores_change ? 0 : change_of(d);
    if (change && w->other) {
        const struct addr other = parse(w->other);
        if (change & STUN_CHANGE_IP)
            memcpy(from.ip, other.ip, sizeof(from.ip));
        from.port = other.port;
    }
    if (!lets_in(w, d->socket, &from))
        return;
    size_t len = respond(w, d, &mapped, out);
    nat_check_take(&w->check, d->socket, &from, out, len, w->now_us + RTT_US);
}

/* To a mapping of our own. */
static void turn_back(struct world *w, const struct nat_check_datagram *d)
{
    enum nat_check_socket to = d->to.port % 1000 >= 100 ? NAT_CHECK_SECOND : NAT_CHECK_MAIN;
    const struct addr from = mapped_of(w, d->socket, &d->to);
    if (w->hairpins)
        nat_check_take(&w->check, to, &from, d->data, d->len, w->now_us + RTT_US);
}

static void carry(struct world *w, const struct nat_check_datagram *d)
{
    const struct addr outside = parse("198.51.100.2");
    assert_true(w->sent < SENT_MAX);
    w->log[w->sent++] = *d;
    if (w->silent || d->len > w->largest)
        return;
    if (addr_same_host(&d->to, &outside))
        turn_back(w, d);
    else
        answer(w, d);
}

/* Until nothing is open. */
static void settle(struct world *w)
{
    static struct nat_check_datagram d;
    while (nat_check_deadline(&w->check, w->now_us) != TIME_NEVER) {
        while (nat_check_next(&w->check, w->now_us, &d))
            carry(w, &d);
        w->now_us += 10000;
        assert_true(w->now_us < START + 10 * USEC_PER_SEC);
    }
}

static void run(struct world *w, unsigned count, const char *const *servers)
{
    const struct random_source random = {count_up, &counter};
    w->now_us = START;
    w->largest = w->largest ? w->largest : 1500;
    nat_check_init(&w->check, 4, &random);
    for (unsigned i = 0; i < count; i++) {
        const struct addr server = parse(servers[i]);
        nat_check_add(&w->check, &server, w->now_us);
    }
    settle(w);
}

static bool is_host(const void *context, const struct addr *a)
{
    (void)context;
    const struct addr ours = parse("192.0.2.7");
    return addr_same_host(a, &ours);
}

static struct nat judged(const struct world *w)
{
    struct nat n;
    nat_check_judge(&w->check, is_host, NULL, PORT, &n);
    return n;
}

static const char *const two[] = {"203.0.113.2", "203.0.113.3"};
#define OTHER "203.0.113.3:3479"

static void each_filtering_is_told_from_the_others(void **state)
{
    (void)state;
    static const enum nat_filtering kinds[] = {NAT_FILTERING_ENDPOINT_INDEPENDENT,
                                               NAT_FILTERING_ADDRESS_DEPENDENT,
                                               NAT_FILTERING_ADDRESS_PORT_DEPENDENT};
    for (size_t i = 0; i < 3; i++) {
        struct world w = {.translates = true, .filtering = kinds[i], .other = OTHER};
        run(&w, 2, two);
        const struct nat n = judged(&w);
        assert_int_equal(n.filtering, kinds[i]);
        assert_int_equal(n.mapping, NAT_MAPPING_ENDPOINT_INDEPENDENT);
        assert_int_equal(n.hairpin, NAT_ANSWER_NO);
        assert_true(w.now_us < START + 4 * USEC_PER_SEC);
    }
}

static void one_server_with_another_address_tells_the_mapping(void **state)
{
    (void)state;
    struct world w = {.translates = true,
                      .by_host = true,
                      .by_port = true,
                      .other = OTHER,
                      .filtering = NAT_FILTERING_ADDRESS_PORT_DEPENDENT};
    run(&w, 1, two);
    assert_int_equal(judged(&w).mapping, NAT_MAPPING_ADDRESS_PORT_DEPENDENT);
    w = (struct world){.translates = true,
                       .by_host = true,
                       .other = OTHER,
                       .filtering = NAT_FILTERING_ADDRESS_PORT_DEPENDENT};
    run(&w, 1, two);
    assert_int_equal(judged(&w).mapping, NAT_MAPPING_ADDRESS_DEPENDENT);
}

static void hairpin_is_seen_where_there_is_a_translation(void **state)
{
    (void)state;
    struct world w = {
        .translates = true, .hairpins = true, .filtering = NAT_FILTERING_ADDRESS_PORT_DEPENDENT};
    run(&w, 2, two);
    assert_int_equal(judged(&w).hairpin, NAT_ANSWER_YES);
    w = (struct world){.translates = false, .filtering = NAT_FILTERING_ENDPOINT_INDEPENDENT};
    run(&w, 2, two);
    assert_int_equal(judged(&w).mapping, NAT_MAPPING_NONE);
    assert_int_equal(judged(&w).hairpin, NAT_ANSWER_UNKNOWN);
}

static void silence_is_over_soon_and_tells_nothing(void **state)
{
    (void)state;
    struct world w = {.silent = true};
    run(&w, 2, two);
    const struct nat n = judged(&w);
    assert_int_equal(n.mapping, NAT_MAPPING_UNKNOWN);
    assert_int_equal(n.filtering, NAT_FILTERING_UNKNOWN);
    assert_null(nat_check_answer(&w.check, NULL));
    assert_int_equal(w.sent, 2 * NAT_CHECK_TRIES);
    assert_true(w.now_us < START + 3 * USEC_PER_SEC);
}

static void the_largest_size_that_passes_is_found(void **state)
{
    (void)state;
    struct world w = {.translates = true, .largest = 1400, .filtering = NAT_FILTERING_ENDPOINT_INDEPENDENT};
    run(&w, 1, two);
    assert_int_equal(nat_check_size(&w.check), 1392);
    const struct addr server = parse(two[0]), stranger = parse("203.0.113.77");
    assert_int_equal(nat_check_answer(&w.check, &server)->rtt_us, RTT_US);
    assert_null(nat_check_answer(&w.check, &stranger));
}

/* It would look as if nobody was let in. */
static void filtering_is_unknown_where_the_server_cannot_do_what_it_says(void **state)
{
    (void)state;
    struct world w = {.translates = true,
                      .ignores_change = true,
                      .other = OTHER,
                      .filtering = NAT_FILTERING_ENDPOINT_INDEPENDENT};
    run(&w, 1, two);
    assert_int_equal(judged(&w).filtering, NAT_FILTERING_UNKNOWN);
    w = (struct world){.translates = true, .filtering = NAT_FILTERING_ENDPOINT_INDEPENDENT};
    run(&w, 2, two);
    assert_int_equal(judged(&w).filtering, NAT_FILTERING_UNKNOWN);
}

static unsigned sent_to(const struct world *w, const char *text)
{
    const struct addr to = parse(text);
    unsigned count = 0;
    for (unsigned i = 0; i < w->sent; i++)
        count += addr_same_host(&w->log[i].to, &to);
    return count;
}

/* A server that names a victim makes us send it a few small datagrams, and to no address that is not on the internet any. */
static void a_lying_server_turns_little_on_others(void **state)
{
    (void)state;
    static const char *const victims[] = {"192.0.2.99:53",  "192.168.1.1:80",    "10.0.0.1:22",
                                          "127.0.0.1:8080", "255.255.255.255:9", "169.254.1.1:1",
                                          "100.64.0.1:9"};
    for (size_t i = 0; i < sizeof(victims) / sizeof(*victims); i++) {
        struct world w = {
            .translates = true, .other = victims[i], .filtering = NAT_FILTERING_ADDRESS_PORT_DEPENDENT};
        run(&w, 1, two);
        unsigned sent = sent_to(&w, victims[i]);
        assert_true(i ? sent == 0 : sent <= NAT_CHECK_TRIES);
        for (unsigned j = 0; j < w.sent; j++)
            assert_true(!sent || w.log[j].len == 28 ||
                        addr_same_host(&w.log[j].to, &w.check.questions[0].to));
    }
}

static void what_turns_back_is_sent_to_one_host_and_no_systems_port(void **state)
{
    (void)state;
    static const struct {
        const char *mapped[2];
        bool sent;
    } said[] = {{{"192.0.2.99:40000", "192.0.2.99:40001"}, true},
                {{"192.0.2.99:53", "192.0.2.99:40001"}, false},
                {{"192.0.2.99:40000", "192.0.2.99:1023"}, false},
                {{"192.0.2.99:40000", "192.0.2.98:40001"}, false}};
    for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
        struct world w = {.translates = true, .filtering = NAT_FILTERING_ENDPOINT_INDEPENDENT};
        memcpy(w.mapped, said[i].mapped, sizeof(w.mapped));
        run(&w, 1, two);
        unsigned sent = sent_to(&w, "192.0.2.99") + sent_to(&w, "192.0.2.98");
        assert_true(said[i].sent ? sent > 0 && sent <= 2 * NAT_CHECK_TRIES : sent == 0);
    }
}

static void answers_from_elsewhere_and_to_others_count_for_nothing(void **state)
{
    (void)state;
    static struct nat_check_datagram d;
    static struct nat_check c;
    const struct random_source random = {count_up, &counter};
    const struct addr server = parse(two[0]), forger = parse("203.0.113.66"), seen = parse("198.51.100.2:1");
    uint8_t out[STUN_MESSAGE_MAX];
    nat_check_init(&c, 4, &random);
    nat_check_add(&c, &server, START);
    nat_check_add(&c, &server, START);
    assert_true(nat_check_next(&c, START, &d));
    assert_false(nat_check_next(&c, START, &d));
    size_t len = stun_response_encode(d.data + 8, &seen, out);
    nat_check_take(&c, NAT_CHECK_MAIN, &forger, out, len, START + 1);
    nat_check_take(&c, NAT_CHECK_SECOND, &server, out, len, START + 1);
    for (size_t cut = 0; cut < len; cut++)
        nat_check_take(&c, NAT_CHECK_MAIN, &server, out, cut, START + 1);
    out[8] ^= 1;
    nat_check_take(&c, NAT_CHECK_MAIN, &server, out, len, START + 1);
    assert_null(nat_check_answer(&c, NULL));
    out[8] ^= 1;
    nat_check_take(&c, NAT_CHECK_MAIN, &server, out, len, START + 1);
    assert_non_null(nat_check_answer(&c, &server));
}

static void servers_of_the_other_family_and_too_many_are_not_asked(void **state)
{
    (void)state;
    static struct nat_check c;
    const struct random_source random = {count_up, &counter};
    const struct addr six = parse("[2001:db8::1]");
    nat_check_init(&c, 4, &random);
    nat_check_add(&c, &six, START);
    assert_int_equal(c.count, 0);
    for (unsigned i = 0; i < 100; i++) {
        const struct addr a = {.family = 4, .port = 3478, .ip = {203, 0, 113, (uint8_t)i}};
        nat_check_add(&c, &a, START);
    }
    assert_int_equal(c.count, NAT_CHECK_SERVERS_MAX);
}

/* What numbers ports would be disturbed by anything else that was sent. */
static void a_look_asks_one_server_by_one_socket_and_nothing_else(void **state)
{
    (void)state;
    struct world w = {.translates = true, .other = OTHER, .filtering = NAT_FILTERING_ENDPOINT_INDEPENDENT};
    const struct addr server = parse(two[0]);
    run(&w, 0, two);
    assert_true(nat_check_look(&w.check, NAT_CHECK_MAIN, &server, START));
    assert_false(nat_check_look(&w.check, NAT_CHECK_MAIN, &server, START));
    settle(&w);
    assert_int_equal(w.sent, 1);
    assert_int_equal(nat_check_seen(&w.check, NAT_CHECK_MAIN)->port, MAPPED);
    assert_null(nat_check_seen(&w.check, NAT_CHECK_SECOND));
    w.silent = true;
    assert_true(nat_check_look(&w.check, NAT_CHECK_SECOND, &server, w.now_us));
    settle(&w);
    assert_int_equal(w.sent, 4);
    assert_null(nat_check_seen(&w.check, NAT_CHECK_SECOND));
    assert_true(w.now_us < START + USEC_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_filtering_is_told_from_the_others),
        cmocka_unit_test(one_server_with_another_address_tells_the_mapping),
        cmocka_unit_test(hairpin_is_seen_where_there_is_a_translation),
        cmocka_unit_test(silence_is_over_soon_and_tells_nothing),
        cmocka_unit_test(the_largest_size_that_passes_is_found),
        cmocka_unit_test(filtering_is_unknown_where_the_server_cannot_do_what_it_says),
        cmocka_unit_test(a_lying_server_turns_little_on_others),
        cmocka_unit_test(what_turns_back_is_sent_to_one_host_and_no_systems_port),
        cmocka_unit_test(answers_from_elsewhere_and_to_others_count_for_nothing),
        cmocka_unit_test(servers_of_the_other_family_and_too_many_are_not_asked),
        cmocka_unit_test(a_look_asks_one_server_by_one_socket_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
