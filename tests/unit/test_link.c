/* SPDX-License-Identifier: Apache-2.0 */
/* proto/link/link: what the first keys are made of, and which messages are out of turn. Two links talk over memory. The
 * linker puts the __wrap_ functions below between the link and what it calls, so that a test sees what an attacker
 * who reads memory would see. */

#include "crypto/identity.h"
#include "crypto/secret.h"
#include "proto/link/link.h"
#include "proto/link/link_impl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include "cert_lab.h"

/* What the last two exports and roots were: [0] the opener's, [1] the acceptor's. */
static uint8_t exported[2][KDF_LEN], rooted[2][KDF_LEN];
static bool of_acceptor;   /* whose turn it is */
static bool too_long_next; /* the next message tells a length that no message has */
static unsigned
    alter_in; /* the last byte of the message that comes so many from now is another one; 0: of none */

int __real_tls_export(struct tls *tls, const uint8_t *context, size_t context_len, uint8_t *out, size_t len);
int __wrap_tls_export(struct tls *tls, const uint8_t *context, size_t context_len, uint8_t *out, size_t len);
int __real_keychain_new(const struct keychain_config *config, const struct keychain_ops *ops,
                        const uint8_t root[KDF_LEN], uint32_t rx_index, uint32_t tx_index, uint64_t now_us,
                        struct keychain **out);
int __wrap_keychain_new(const struct keychain_config *config, const struct keychain_ops *ops,
                        const uint8_t root[KDF_LEN], uint32_t rx_index, uint32_t tx_index, uint64_t now_us,
                        struct keychain **out);

int __wrap_tls_export(struct tls *tls, const uint8_t *context, size_t context_len, uint8_t *out, size_t len)
{
    int err = __real_tls_export(tls, context, context_len, out, len);
    memcpy(exported[of_acceptor], out, KDF_LEN);
    return err;
}

int __wrap_keychain_new(const struct keychain_config *config, const struct keychain_ops *ops,
                        const uint8_t root[KDF_LEN], uint32_t rx_index, uint32_t tx_index, uint64_t now_us,
                        struct keychain **out)
{
    memcpy(rooted[of_acceptor], root, KDF_LEN);
    return __real_keychain_new(config, ops, root, rx_index, tx_index, now_us, out);
}

int __real_tls_write(struct tls *tls, const uint8_t *data, size_t len);
int __wrap_tls_write(struct tls *tls, const uint8_t *data, size_t len);

int __wrap_tls_write(struct tls *tls, const uint8_t *data, size_t len)
{
    static const uint8_t prefix[] = {0xff, 0xff};
    static uint8_t altered[2 + MESSAGE_MAX];
    if (alter_in && --alter_in == 0) {
        memcpy(altered, data, len);
        altered[len - 1] ^= 1;
        return __real_tls_write(tls, altered, len);
    }
    if (!too_long_next)
        return __real_tls_write(tls, data, len);
    too_long_next = false;
    return __real_tls_write(tls, prefix, sizeof(prefix));
}

static uint32_t reserve_index(void *context)
{
    (void)context;
    return 7;
}

static void release_index(void *context, uint32_t index)
{
    (void)context, (void)index;
}

static int session_added(void *context, struct session *s)
{
    (void)context, (void)s;
    return 0;
}

static void session_dropped(void *context, struct session *s)
{
    (void)context;
    session_free(s);
}

static void cool(void *context, struct session *s)
{
    (void)context;
    session_free(session_cool(s));
}

static void send_changed(void *context)
{
    (void)context;
}

static void send_control(void *context, struct session *s, const struct message *message)
{
    (void)context, (void)s, (void)message;
}

static const struct keychain_ops ops = {.reserve_index = reserve_index,
                                        .release_index = release_index,
                                        .session_added = session_added,
                                        .session_dropped = session_dropped,
                                        .cool = cool,
                                        .send_changed = send_changed,
                                        .send_control = send_control};

struct pair {
    struct identity *identity[2];
    struct tls_context *tls[2];
    struct link *link[2]; /* the opener, the acceptor */
    uint64_t features[2];
    enum link_event last[2];
    bool holds_work; /* of both sides: what is begun waits for do_work */
    struct link_work *held[2];
};

static void setup(struct pair *p, uint64_t opener_features, uint64_t acceptor_features)
{
    static const struct target somewhere = {TARGET_TCP, {.family = 4, .port = 8443, .ip = {192, 0, 2, 1}}};
    *p = (struct pair){.features = {opener_features, acceptor_features}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(identity_generate(&p->identity[i]), 0);
        assert_int_equal(tls_context_new(p->identity[i], &p->tls[i]), 0);
    }
    assert_int_equal(link_new(p->tls[0], 1, &somewhere, identity_id(p->identity[1]), 0, &p->link[0]), 0);
    assert_int_equal(link_new(p->tls[1], 2, &somewhere, NULL, 0, &p->link[1]), 0);
    memset(exported, 0, sizeof(exported));
    memset(rooted, 0, sizeof(rooted));
}

static void teardown(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        link_free(p->link[i]);
        tls_context_free(p->tls[i]);
        identity_free(p->identity[i]);
    }
}

static void greet(struct pair *p, int side)
{
    struct hello h = {.version_min = MESSAGE_VERSION,
                      .version_max = MESSAGE_VERSION,
                      .features = p->features[side],
                      .aead_count = 1,
                      .aeads = {AEAD_AES_256_GCM},
                      .lanes = 1,
                      .mtu = 1500,
                      .receiver_index = 1 + (uint32_t)side};
    assert_int_equal(link_greet(p->link[side], &h), 0);
}

/* True when there was work, and it is done. */
static bool work(struct pair *p, int side)
{
    of_acceptor = side == 1;
    if (!link_has_work(p->link[side]))
        return false;
    struct link_work *w = link_begin_work(p->link[side]);
    assert_non_null(w);
    if (p->holds_work) {
        p->held[side] = w;
        return false;
    }
    link_work_run(w);
    assert_ptr_equal(link_worked(w), p->link[side]);
    return true;
}

/* False: the mesh would be done with it. */
static bool act_once(struct pair *p, int side, enum link_event event)
{
    static const struct keychain_config config = {.ratchet_us = 1000000};
    of_acceptor = side == 1;
    p->last[side] = event;
    if (event == LINK_EVENT_IDENTIFIED)
        greet(p, side);
    else if (event == LINK_EVENT_KEYABLE)
        assert_int_equal(link_key(p->link[side], &config, &ops, 0), 0);
    else
        return false;
    return true;
}

/* What the mesh does with a link's events. */
static void act(struct pair *p, int side)
{
    enum link_event event;
    do {
        while ((event = link_next(p->link[side], 0)) != LINK_EVENT_NONE)
            if (!act_once(p, side, event))
                return;
    } while (work(p, side));
}

static bool carry(struct pair *p, int from)
{
    uint8_t chunk[4096];
    size_t n, total = 0;
    while ((n = link_take_output(p->link[from], chunk, sizeof(chunk))) > 0) {
        link_on_bytes(p->link[1 - from], chunk, n);
        total += n;
    }
    return total > 0;
}

/* Until the opener knows who the acceptor is, and has something to say. */
static void secure(struct pair *p)
{
    link_on_connected(p->link[0]);
    while (link_next(p->link[0], 0) != LINK_EVENT_IDENTIFIED) {
        carry(p, 0);
        work(p, 1);
        carry(p, 1);
        work(p, 0);
    }
}

static void run_on(struct pair *p)
{
    for (int turn = 0, quiet = 0; quiet < 2; turn = 1 - turn) {
        quiet = carry(p, turn) ? 0 : quiet + 1;
        act(p, 1 - turn);
        act(p, turn);
    }
}

static void run(struct pair *p)
{
    link_on_connected(p->link[0]);
    act(p, 0);
    run_on(p);
}

/* Up to the acceptor's HELLO; what it says next is the test's to choose. */
static void greet_and_wait(struct pair *p)
{
    secure(p);
    greet(p, 0);
    carry(p, 0);
    work(p, 1);
    assert_int_equal(link_next(p->link[1], 0), LINK_EVENT_IDENTIFIED);
    greet(p, 1);
}

static void assert_live(const struct pair *p)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(link_state(p->link[i]), LINK_STATE_LIVE);
    assert_memory_equal(rooted[0], rooted[1], KDF_LEN);
    assert_memory_equal(exported[0], exported[1], KDF_LEN);
}

/* The exporter's secret can be had from memory as long as the connection lives. */
static void the_first_root_is_more_than_the_exporter_gives(void **state)
{
    (void)state;
    struct pair p;
    setup(&p, HELLO_FEATURE_FRESH_ROOT, HELLO_FEATURE_FRESH_ROOT);
    run(&p);
    assert_live(&p);
    assert_memory_not_equal(rooted[0], exported[0], KDF_LEN);
    for (int i = 0; i < 2; i++) {
        assert_true(link_has_fresh_root(p.link[i]));
        assert_null(p.link[i]->offer);
    }
    teardown(&p);
}

static void the_hashes_of_the_hellos_serve_once(void **state)
{
    (void)state;
    uint8_t root[KDF_LEN];
    struct pair p;
    setup(&p, HELLO_FEATURE_FRESH_ROOT, HELLO_FEATURE_FRESH_ROOT);
    run(&p);
    for (int i = 0; i < 2; i++)
        assert_int_equal(channel_root(p.link[i]->channel, i, root), ERR_AGAIN);
    teardown(&p);
}

/* The opener asks something before its HELLO, of which one byte is another one at the acceptor. Without bit 11 at both, an older
 * node would hash the first message alone: so does the newer one then. */
static void what_was_said_before_hello_is_bound_and_so_is_hello_behind_it(void **state)
{
    (void)state;
    static const struct {
        unsigned altered;
        uint64_t acceptors_features;
        bool same;
    } cases[] = {{0, HELLO_FEATURE_NETWORK, true},
                 {1, HELLO_FEATURE_NETWORK, false},
                 {2, HELLO_FEATURE_NETWORK, false},
                 {0, 0, true},
                 {1, 0, false},
                 {2, 0, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct pair p;
        setup(&p, HELLO_FEATURE_NETWORK, cases[i].acceptors_features);
        secure(&p);
        alter_in = cases[i].altered;
        link_send(p.link[0], &(struct message){.type = MESSAGE_ISSUER_ASK});
        greet(&p, 0);
        run_on(&p);
        for (int side = 0; side < 2; side++)
            assert_int_equal(link_state(p.link[side]), LINK_STATE_LIVE);
        assert_int_equal(memcmp(rooted[0], rooted[1], KDF_LEN) == 0, cases[i].same);
        teardown(&p);
    }
}

static struct membership *open_membership(void)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab);
    struct cert_bytes a = lab_sign(&ca, lab.ca), b = lab_sign(&issuer, lab.ca),
                      c = lab_sign(&member, lab.issuer);
    const struct membership_chain chain = {lab_slice(&a), lab_slice(&b), lab_slice(&c)};
    enum membership_part part;
    enum cert_verdict why;
    struct membership *ms;
    assert_int_equal(membership_new(&chain, identity_spki(lab.member), &part, &why, &ms), 0);
    return ms;
}

/* A certificate that nobody asked for says nothing, and fills nothing but its own link's share. */
static void who_is_not_admitted_yet_brings_so_much_and_no_more(void **state)
{
    (void)state;
    static const uint8_t bytes[CERT_MAX];
    static const struct membership_seen nothing;
    struct membership *ms = open_membership();
    struct message issuer = {.type = MESSAGE_ISSUER};
    struct entry *e;
    struct pair p;
    issuer.certificate = (struct slice){bytes, sizeof(bytes)};
    setup(&p, HELLO_FEATURE_NETWORK, HELLO_FEATURE_NETWORK);
    secure(&p);
    carry(&p, 0);
    work(&p, 1);
    assert_int_equal(link_next(p.link[1], 0), LINK_EVENT_IDENTIFIED);
    assert_int_equal(entry_new(ms, identity_spki(p.identity[0]), &nothing, false, &e), 0);
    link_enter(p.link[1], e);
    for (unsigned i = 0; i < LINK_HELD_MAX / CERT_MAX; i++) {
        assert_int_equal(link_next(p.link[1], 0), LINK_EVENT_NONE);
        link_send(p.link[0], &issuer);
        carry(&p, 0);
    }
    assert_int_equal(link_next(p.link[1], 0), LINK_EVENT_NONE);
    link_send(p.link[0], &issuer);
    carry(&p, 0);
    assert_int_equal(link_next(p.link[1], 0), LINK_EVENT_FAILED);
    assert_int_equal(link_error(p.link[1]), ERR_SPACE);
    teardown(&p);
    membership_free(ms);
}

static void an_older_version_gets_the_exporters_root_and_is_named(void **state)
{
    (void)state;
    for (int older = 0; older < 2; older++) {
        struct pair p;
        setup(&p, older == 0 ? 0 : HELLO_FEATURE_FRESH_ROOT, older == 1 ? 0 : HELLO_FEATURE_FRESH_ROOT);
        run(&p);
        assert_live(&p);
        assert_memory_equal(rooted[0], exported[0], KDF_LEN);
        for (int i = 0; i < 2; i++) {
            assert_false(link_has_fresh_root(p.link[i]));
            assert_non_null(strstr(link_suite(p.link[i]), "its version is older"));
        }
        teardown(&p);
    }
}

/* An acceptor that announced the step and leaves it out would have data under keys of the exporter alone. */
static void ready_without_the_announced_answer_is_out_of_turn(void **state)
{
    (void)state;
    struct pair p;
    setup(&p, HELLO_FEATURE_FRESH_ROOT, HELLO_FEATURE_FRESH_ROOT);
    greet_and_wait(&p);
    const struct message bare = {.type = MESSAGE_READY};
    link_send(p.link[1], &bare);
    carry(&p, 1);
    act(&p, 0);
    assert_int_equal(p.last[0], LINK_EVENT_FAILED);
    assert_null(link_keychain(p.link[0]));
    teardown(&p);
}

static void an_answer_that_nobody_asked_for_is_out_of_turn(void **state)
{
    (void)state;
    struct pair p;
    setup(&p, 0, HELLO_FEATURE_FRESH_ROOT);
    greet_and_wait(&p);
    struct message answer = {.type = MESSAGE_READY, .answer = {.present = true}};
    link_send(p.link[1], &answer);
    carry(&p, 1);
    act(&p, 0);
    assert_int_equal(p.last[0], LINK_EVENT_FAILED);
    teardown(&p);
}

/* The person is told more than that the stream failed. */
static void a_malformed_message_has_a_reason(void **state)
{
    (void)state;
    struct pair p;
    setup(&p, 0, 0);
    secure(&p);
    too_long_next = true;
    greet(&p, 0);
    carry(&p, 0);
    work(&p, 1);
    assert_int_equal(link_next(p.link[1], 0), LINK_EVENT_IDENTIFIED);
    assert_int_equal(link_next(p.link[1], 0), LINK_EVENT_FAILED);
    assert_int_equal(link_error(p.link[1]), ERR_FORMAT);
    assert_string_equal(link_reason(p.link[1]), "a malformed control message");
    teardown(&p);
}

static void a_second_greeting_is_refused_and_harms_nothing(void **state)
{
    (void)state;
    struct pair p;
    setup(&p, HELLO_FEATURE_FRESH_ROOT, HELLO_FEATURE_FRESH_ROOT);
    secure(&p);
    greet(&p, 0);
    const struct hello again = p.link[0]->mine;
    assert_int_equal(link_greet(p.link[0], &again), ERR_EXISTS);
    run_on(&p);
    assert_live(&p);
    teardown(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_root_is_more_than_the_exporter_gives),
        cmocka_unit_test(the_hashes_of_the_hellos_serve_once),
        cmocka_unit_test(what_was_said_before_hello_is_bound_and_so_is_hello_behind_it),
        cmocka_unit_test(who_is_not_admitted_yet_brings_so_much_and_no_more),
        cmocka_unit_test(an_older_version_gets_the_exporters_root_and_is_named),
        cmocka_unit_test(ready_without_the_announced_answer_is_out_of_turn),
        cmocka_unit_test(a_second_greeting_is_refused_and_harms_nothing),
        cmocka_unit_test(a_malformed_message_has_a_reason),
        cmocka_unit_test(an_answer_that_nobody_asked_for_is_out_of_turn),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
