/* SPDX-License-Identifier: Apache-2.0 */
/* Every test is a question with a transaction of its own, repeated until it is answered; answers raise the next questions. */

#include "proto/nat/nat_check.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "crypto/secret.h"

#define TRANSACTION_AT   8 /* in a STUN message */
#define HAIRPIN_PORT_MIN 1024
#define SECOND_US                                                                                            \
    400000ull /* how long the second socket waits for a server with another address, once one answers */

#define LOOK_TRIES 3
#define LOOK_US    200000ull /* of a look that somebody waits for, likewise */

/* From one try to the next, and after the last. */
static const uint64_t waits_us[NAT_CHECK_TRIES] = {300000, 600000, 800000, 800000};

/* What usual links leave of their MTU: Ethernet, PPPoE, tunnels, IPv6's least, each with IPv4 and IPv6 headers. */
static const size_t sizes[] = {1472, 1464, 1452, 1444, 1392, 1372, 1252, 1232};

void nat_check_init(struct nat_check *c, unsigned family, const struct random_source *random)
{
    *c = (struct nat_check){.family = family, .random = *random};
}

static struct nat_question *ask(struct nat_check *c, enum nat_question_kind kind,
                                enum nat_check_socket socket, const struct addr *to, uint64_t now_us)
{
    struct nat_question *q = &c->questions[c->count];
    if (c->count == NAT_CHECK_QUESTIONS_MAX)
        return NULL;
    c->count++;
    *q = (struct nat_question){.kind = kind, .socket = socket, .to = *to, .next_us = now_us};
    random_fill(&c->random, q->transaction, sizeof(q->transaction));
    return q;
}

static struct nat_question *find(struct nat_check *c, enum nat_question_kind kind)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->questions[i].kind == kind)
            return &c->questions[i];
    return NULL;
}

static const struct nat_question *answered(const struct nat_check *c, enum nat_question_kind kind)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->questions[i].kind == kind && c->questions[i].answered)
            return &c->questions[i];
    return NULL;
}

static const struct nat_question *find_look(const struct nat_check *c, enum nat_check_socket socket)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->questions[i].kind == NAT_QUESTION_LOOK && c->questions[i].socket == socket)
            return &c->questions[i];
    return NULL;
}

void nat_check_add(struct nat_check *c, const struct addr *server, uint64_t now_us)
{
    unsigned servers = 0;
    for (unsigned i = 0; i < c->count; i++) {
        if (c->questions[i].kind != NAT_QUESTION_SERVER)
            continue;
        if (addr_equal(&c->questions[i].to, server))
            return;
        servers++;
    }
    if (server->family == c->family && servers < NAT_CHECK_SERVERS_MAX)
        (void)ask(c, NAT_QUESTION_SERVER, NAT_CHECK_MAIN, server, now_us);
}

bool nat_check_look(struct nat_check *c, enum nat_check_socket socket, const struct addr *server,
                    uint64_t now_us)
{
    return !find_look(c, socket) && ask(c, NAT_QUESTION_LOOK, socket, server, now_us);
}

/* ---- what answers raise ---- */

/* Another address of the server's is one that it may have. */
static bool is_elsewhere(const struct nat_question *q)
{
    return q->other.family == q->to.family && q->other.port && q->other.port != q->to.port &&
           !addr_same_host(&q->other, &q->to) && addr_is_routable(&q->other) &&
           (!addr_is_private(&q->other) || addr_is_private(&q->to));
}

static void ask_elsewhere(struct nat_check *c, const struct nat_question *server, uint64_t now_us)
{
    struct addr port = server->to, host = server->other;
    port.port = server->other.port;
    host.port = server->to.port;
    (void)ask(c, NAT_QUESTION_OTHER_PORT, NAT_CHECK_MAIN, &port, now_us);
    (void)ask(c, NAT_QUESTION_OTHER_HOST, NAT_CHECK_MAIN, &host, now_us);
    (void)ask(c, NAT_QUESTION_SECOND, NAT_CHECK_SECOND, &server->to, now_us);
    (void)ask(c, NAT_QUESTION_CHANGE_BOTH, NAT_CHECK_SECOND, &server->to, now_us);
    (void)ask(c, NAT_QUESTION_CHANGE_PORT, NAT_CHECK_SECOND, &server->to, now_us);
}

static void ask_sizes(struct nat_check *c, const struct addr *server, uint64_t now_us)
{
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct nat_question *q = ask(c, NAT_QUESTION_SIZE, NAT_CHECK_MAIN, server, now_us);
        if (q)
            q->size = sizes[i];
    }
}

/* A server may lie: what it names gets datagrams at one host, and at no port of a system's service. */
static bool may_be_hairpinned(const struct nat_question *q)
{
    return q->mapped.port >= HAIRPIN_PORT_MIN && nat_may_be_ours(&q->mapped, &q->to);
}

/* Both at once: each opens its own way for the other. */
static void ask_hairpin(struct nat_check *c, uint64_t now_us)
{
    const struct nat_question *main = answered(c, NAT_QUESTION_SERVER),
                              *second = answered(c, NAT_QUESTION_SECOND);
    if (!main || !second || find(c, NAT_QUESTION_HAIRPIN) || !may_be_hairpinned(main) ||
        !may_be_hairpinned(second) || !addr_same_host(&main->mapped, &second->mapped))
        return;
    const struct addr to_main = main->mapped, to_second = second->mapped;
    (void)ask(c, NAT_QUESTION_HAIRPIN, NAT_CHECK_SECOND, &to_main, now_us);
    (void)ask(c, NAT_QUESTION_HAIRPIN, NAT_CHECK_MAIN, &to_second, now_us);
}

/* Some other server would do, where none tells another address of its own in time. */
static void settle_second(struct nat_check *c, uint64_t now_us)
{
    const struct nat_question *first = answered(c, NAT_QUESTION_SERVER);
    if (!first || find(c, NAT_QUESTION_SECOND) || now_us - c->first_us < SECOND_US)
        return;
    const struct addr server = first->to;
    (void)ask(c, NAT_QUESTION_SECOND, NAT_CHECK_SECOND, &server, now_us);
}

/* The second socket keeps to one server: whatever it sends to may answer. */
static void go_on(struct nat_check *c, const struct nat_question *q, uint64_t now_us)
{
    const struct nat_question server = *q;
    if (server.kind == NAT_QUESTION_SERVER && !c->first_us) {
        c->first_us = now_us;
        ask_sizes(c, &server.to, now_us);
    }
    if (server.kind == NAT_QUESTION_SERVER && !find(c, NAT_QUESTION_SECOND) && is_elsewhere(&server))
        ask_elsewhere(c, &server, now_us);
    ask_hairpin(c, now_us);
}

/* ---- out ---- */

static unsigned tries_of(enum nat_question_kind kind)
{
    if (kind == NAT_QUESTION_LOOK)
        return LOOK_TRIES;
    return kind == NAT_QUESTION_SIZE ? 2 : NAT_CHECK_TRIES;
}

static uint64_t wait_us(const struct nat_question *q)
{
    return q->kind == NAT_QUESTION_LOOK ? LOOK_US : waits_us[q->tries];
}

static unsigned change_of(enum nat_question_kind kind)
{
    if (kind == NAT_QUESTION_CHANGE_BOTH)
        return STUN_CHANGE_IP | STUN_CHANGE_PORT;
    return kind == NAT_QUESTION_CHANGE_PORT ? STUN_CHANGE_PORT : 0;
}

static bool is_over(const struct nat_question *q)
{
    return q->answered || q->tries == tries_of(q->kind);
}

bool nat_check_next(struct nat_check *c, uint64_t now_us, struct nat_check_datagram *out)
{
    settle_second(c, now_us);
    for (unsigned i = 0; i < c->count; i++) {
        struct nat_question *q = &c->questions[i];
        if (is_over(q) || now_us < q->next_us)
            continue;
        q->asked_us = now_us;
        q->next_us = now_us + wait_us(q);
        q->tries++;
        out->socket = q->socket;
        out->to = q->to;
        out->len = stun_question_encode(q->transaction, change_of(q->kind), q->size, out->data);
        return true;
    }
    return false;
}

uint64_t nat_check_deadline(const struct nat_check *c, uint64_t now_us)
{
    bool second = !c->first_us; /* it has begun, or cannot yet */
    uint64_t at_us = TIME_NEVER;
    for (unsigned i = 0; i < c->count; i++) {
        const struct nat_question *q = &c->questions[i];
        second = second || q->kind == NAT_QUESTION_SECOND;
        bool open = !q->answered && (!is_over(q) || now_us < q->next_us);
        if (open && q->next_us < at_us)
            at_us = q->next_us;
    }
    return second || c->first_us + SECOND_US > at_us ? at_us : c->first_us + SECOND_US;
}

/* ---- in ---- */

static bool came_from_where_it_should(const struct nat_question *q, const struct addr *from)
{
    switch (q->kind) {
    case NAT_QUESTION_CHANGE_BOTH:
        return !addr_same_host(from, &q->to) && from->port != q->to.port;
    case NAT_QUESTION_CHANGE_PORT:
        return addr_same_host(from, &q->to) && from->port != q->to.port;
    case NAT_QUESTION_SERVER:
    case NAT_QUESTION_OTHER_PORT:
    case NAT_QUESTION_OTHER_HOST:
    case NAT_QUESTION_SIZE:
    case NAT_QUESTION_SECOND:
    case NAT_QUESTION_LOOK:
        return addr_equal(from, &q->to);
    case NAT_QUESTION_HAIRPIN:
        return true;
    }
    return false;
}

/* Our own request, back at the other socket. */
static bool is_hairpin(const struct nat_question *q, enum nat_check_socket socket, const uint8_t *data,
                       size_t len)
{
    uint8_t transaction[STUN_TRANSACTION_LEN];
    return socket != q->socket && stun_request_decode(data, len, transaction) == 0;
}

static bool is_answer(struct nat_question *q, enum nat_check_socket socket, const struct addr *from,
                      const uint8_t *data, size_t len)
{
    if (q->kind == NAT_QUESTION_HAIRPIN)
        return is_hairpin(q, socket, data, len);
    struct addr mapped;
    if (socket != q->socket || stun_response_decode(data, len, q->transaction, &mapped))
        return false;
    if (!came_from_where_it_should(q, from)) {
        q->ignored |= addr_equal(from, &q->to);
        return false;
    }
    q->mapped = mapped;
    q->other = stun_response_other(data, len);
    return true;
}

void nat_check_take(struct nat_check *c, enum nat_check_socket socket, const struct addr *from,
                    const uint8_t *data, size_t len, uint64_t now_us)
{
    for (unsigned i = 0; i < c->count && len >= TRANSACTION_AT + STUN_TRANSACTION_LEN; i++) {
        struct nat_question *q = &c->questions[i];
        if (q->answered || !q->tries ||
            !secret_equal(data + TRANSACTION_AT, q->transaction, STUN_TRANSACTION_LEN) ||
            !is_answer(q, socket, from, data, len))
            continue;
        q->answered = true;
        q->rtt_us = now_us - q->asked_us;
        go_on(c, q, now_us);
        return;
    }
}

/* ---- results ---- */

static void collect_observations(const struct nat_check *c, struct nat *out)
{
    for (unsigned i = 0; i < c->count && out->observed_count < NAT_OBSERVED_MAX; i++) {
        const struct nat_question *q = &c->questions[i];
        bool plain = q->kind == NAT_QUESTION_SERVER || q->kind == NAT_QUESTION_OTHER_PORT ||
                     q->kind == NAT_QUESTION_OTHER_HOST;
        if (plain && q->answered && nat_may_be_ours(&q->mapped, &q->to))
            out->observed[out->observed_count++] =
                (struct nat_observation){q->to, q->mapped, q->asked_us + q->rtt_us};
    }
}

/* That nothing came tells something where the server is known to be able to answer from there. */
static enum nat_filtering filtering_of(const struct nat_check *c)
{
    bool both = answered(c, NAT_QUESTION_CHANGE_BOTH), port = answered(c, NAT_QUESTION_CHANGE_PORT),
         host_lives = answered(c, NAT_QUESTION_OTHER_HOST), port_lives = answered(c, NAT_QUESTION_OTHER_PORT);
    for (unsigned i = 0; i < c->count; i++)
        if (c->questions[i].ignored)
            return NAT_FILTERING_UNKNOWN;
    if (both)
        return NAT_FILTERING_ENDPOINT_INDEPENDENT;
    if (!answered(c, NAT_QUESTION_SECOND) || !host_lives || !port_lives)
        return NAT_FILTERING_UNKNOWN;
    return port ? NAT_FILTERING_ADDRESS_DEPENDENT : NAT_FILTERING_ADDRESS_PORT_DEPENDENT;
}

static enum nat_answer hairpin_of(const struct nat_check *c, enum nat_mapping mapping)
{
    bool asked = false;
    for (unsigned i = 0; i < c->count; i++)
        asked |= c->questions[i].kind == NAT_QUESTION_HAIRPIN;
    if (!asked || mapping == NAT_MAPPING_NONE)
        return NAT_ANSWER_UNKNOWN;
    return answered(c, NAT_QUESTION_HAIRPIN) ? NAT_ANSWER_YES : NAT_ANSWER_NO;
}

void nat_check_judge(const struct nat_check *c, bool ours(const void *context, const struct addr *a),
                     const void *context, uint16_t port, struct nat *out)
{
    *out = (struct nat){0};
    collect_observations(c, out);
    nat_judge(out, ours, context, port);
    out->filtering = filtering_of(c);
    out->hairpin = hairpin_of(c, out->mapping);
}

size_t nat_check_size(const struct nat_check *c)
{
    size_t most = 0;
    for (unsigned i = 0; i < c->count; i++)
        if (c->questions[i].answered && c->questions[i].size > most)
            most = c->questions[i].size;
    return most;
}

const struct nat_question *nat_check_answer(const struct nat_check *c, const struct addr *server)
{
    for (unsigned i = 0; i < c->count; i++) {
        const struct nat_question *q = &c->questions[i];
        if (q->kind == NAT_QUESTION_SERVER && q->answered && (!server || addr_equal(&q->to, server)))
            return q;
    }
    return NULL;
}

const struct addr *nat_check_seen(const struct nat_check *c, enum nat_check_socket socket)
{
    const struct nat_question *q = find_look(c, socket);
    return q && q->answered ? &q->mapped : NULL;
}
