/* SPDX-License-Identifier: Apache-2.0 */
/* proto/network/asking against serving, an issuer's half: what an honest pair comes to, and what a liar on either side. */

#include "proto/network/asking.h"

#include "base/clock.h"
#include "proto/network/entry.h"
#include "proto/network/issuing.h"
#include "proto/network/serving.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "cert_lab.h"

#define NOW_US (7 * USEC_PER_SEC)
#define HOUR   3600ull

/* The issuer's node, which is a member, too, and somebody at the other end of a channel. */
struct scene {
    struct issuing issuing;
    struct issued issued;
    struct membership *ms;
    struct cert_bytes ca, issuer;
    struct serving_issuer serving;
    struct entry *entry;
    struct token token;
    struct asking *asking;
    const struct identity *joiner;
    unsigned said; /* by the issuer */
};

static bool nobody(void *context, const struct node_id *id)
{
    (void)context;
    (void)id;
    return false;
}

static bool no_name(void *context, const char *name, const struct node_id *but)
{
    (void)context;
    (void)name;
    (void)but;
    return false;
}

static void fill(void *context, void *out, size_t len)
{
    static uint8_t next;

    (void)context;
    memset(out, ++next, len);
}

static int given(struct scene *s, int code, struct slice *out)
{
    *out = (struct slice){s->issued.der, s->issued.len};
    return code;
}

static int redeem(void *context, const struct issuing_join *join, uint64_t now_us, struct slice *out)
{
    struct scene *s = context;

    return given(s, issuing_redeem(&s->issuing, join, LAB_NOW, now_us, &s->issued), out);
}

static int renew(void *context, const struct cert *shown, uint64_t now_us, struct slice *out)
{
    struct scene *s = context;

    (void)now_us;
    return given(s, issuing_renew(&s->issuing, shown, LAB_NOW, &s->issued), out);
}

static void make_token(struct scene *s)
{
    struct invitation i = {.uses = 1, .made = LAB_NOW, .expires = LAB_NOW + HOUR};
    struct identity *key;

    s->token =
        (struct token){.network = *identity_id(lab.ca), .issuer = *identity_id(lab.issuer), .name = "lab"};
    memset(s->token.seed, 5, sizeof(s->token.seed));
    assert_int_equal(identity_from_seed(s->token.seed, &key), 0);
    const struct slice spki = {identity_spki(key), IDENTITY_SPKI_LEN};
    assert_int_equal(kdf_hash(&spki, 1, i.key), 0);
    assert_int_equal(invitations_add(s->issuing.invitations, &i, LAB_NOW), 0);
    identity_free(key);
}

static void open_scene(struct scene *s)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab),
                self = lab_cert(CERT_MEMBER, lab.issuer, lab.issuer);
    const struct issuing_config config = {.me = lab.issuer,
                                          .ca = ca,
                                          .issuer = issuer,
                                          .life = ISSUING_LIFE,
                                          .random = {fill, NULL},
                                          .is_revoked = nobody,
                                          .is_named = no_name};
    enum membership_part part;
    enum cert_verdict why;

    memset(s, 0, sizeof(*s));
    self.not_before = LAB_NOW - LAB_DAY;
    self.not_after = LAB_NOW + 29 * LAB_DAY;
    memcpy(self.name, "hub", sizeof("hub"));
    s->ca = lab_sign(&ca, lab.ca);
    s->issuer = lab_sign(&issuer, lab.ca);
    struct cert_bytes member = lab_sign(&self, lab.issuer);
    const struct membership_chain chain = {lab_slice(&s->ca), lab_slice(&s->issuer), lab_slice(&member)};
    assert_int_equal(membership_new(&chain, identity_spki(lab.issuer), &part, &why, &s->ms), 0);
    membership_set_clock(s->ms, LAB_NOW, NOW_US);
    assert_int_equal(issuing_init(&s->issuing, &config), 0);
    s->serving = (struct serving_issuer){lab_slice(&s->issuer), redeem, renew, s};
    s->joiner = lab.member;
    make_token(s);
}

static void close_scene(struct scene *s)
{
    entry_free(s->entry);
    asking_free(s->asking);
    membership_free(s->ms);
    issuing_fini(&s->issuing);
}

static void open_channel(struct scene *s, uint8_t issuers_exporter, uint8_t joiners_exporter)
{
    static const struct membership_seen nothing;
    uint8_t exporter[KDF_LEN];

    entry_free(s->entry);
    assert_int_equal(entry_new(s->ms, identity_spki(s->joiner), &nothing, false, &s->entry), 0);
    memset(exporter, issuers_exporter, sizeof(exporter));
    entry_serve(s->entry, &s->serving, exporter);
    memset(exporter, joiners_exporter, sizeof(exporter));
    asking_set_clock(s->asking, LAB_NOW);
    asking_begin(s->asking, identity_id(lab.issuer), exporter);
}

static void open_with_joiner(struct scene *s)
{
    open_scene(s);
    assert_int_equal(asking_join(&s->token, s->joiner, "berlin", &s->asking), 0);
    open_channel(s, 1, 1);
}

/* As the other side reads it. */
static struct message carried(const struct message *m)
{
    static uint8_t bytes[MESSAGE_MAX];
    struct writer w = writer_init(bytes, sizeof(bytes));
    struct message out;

    message_encode(m, &w);
    assert_false(w.bad);
    assert_int_equal(message_decode(bytes, writer_len(&w), &out), 0);
    return out;
}

/* What a link does when an entry refuses. */
static bool tell_refusal(struct scene *s)
{
    struct message m = {.type = MESSAGE_REFUSE};

    if (entry_state(s->entry) != ENTRY_REFUSED)
        return false;
    m.refuse.code = (uint8_t)entry_code(s->entry);
    snprintf(m.refuse.text, sizeof(m.refuse.text), "%s", entry_refusal(entry_code(s->entry)));
    asking_on_message(s->asking, &m);
    return true;
}

/* Both talk until neither has anything to say. lie alters what the issuer says. */
static enum asking_state talk(struct scene *s, void (*lie)(struct scene *s, struct message *m))
{
    struct message m, read;
    bool more = true;

    while (more) {
        more = false;
        while (asking_take_answer(s->asking, &m)) {
            read = carried(&m);
            entry_on_message(s->entry, &read, NOW_US);
            more = true;
        }
        while (entry_take_answer(s->entry, &m)) {
            s->said++;
            if (lie)
                lie(s, &m);
            read = carried(&m);
            asking_on_message(s->asking, &read);
            more = true;
        }
        if (tell_refusal(s))
            break;
    }
    return asking_state(s->asking);
}

static void token_becomes_a_certificate(void **state)
{
    struct membership *joined;
    enum membership_part part;
    enum cert_verdict why;
    struct scene s;

    (void)state;
    open_with_joiner(&s);
    assert_int_equal(talk(&s, NULL), ASKING_DONE);
    assert_string_equal(asking_cert(s.asking)->name, "berlin");
    assert_int_equal(s.said, 3);
    const struct membership_chain chain = asking_chain(s.asking);
    assert_int_equal(membership_new(&chain, identity_spki(lab.member), &part, &why, &joined), 0);
    assert_int_not_equal(entry_state(s.entry), ENTRY_ADMITTED); /* the channel is for nothing else */
    membership_free(joined);
    close_scene(&s);
}

static void expect_refusal(struct scene *s, void (*lie)(struct scene *s, struct message *m), int code,
                           const char *reason)
{
    assert_int_equal(talk(s, lie), ASKING_REFUSED);
    assert_int_equal(asking_code(s->asking), code);
    if (!strstr(asking_reason(s->asking), reason))
        fail_msg("\"%s\" has no \"%s\"", asking_reason(s->asking), reason);
}

static void each_refusal_reaches_the_joiner(void **state)
{
    struct scene s;

    (void)state;
    open_with_joiner(&s);
    open_channel(&s, 1, 2); /* somebody in the middle: two channels, two exporters */
    expect_refusal(&s, NULL, REFUSE_TOKEN_FORGED, "the proof does not hold");
    assert_non_null(strstr(entry_reason(s.entry), "the proof does not hold"));
    assert_null(ledger_at(s.issuing.ledger, 0));
    open_channel(&s, 1, 1); /* it is not lost by that */
    assert_int_equal(talk(&s, NULL), ASKING_DONE);
    close_scene(&s);
}

static void altered_token_is_refused(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    s.token.seed[31] ^= 1;
    assert_int_equal(asking_join(&s.token, s.joiner, "", &s.asking), 0);
    open_channel(&s, 1, 1);
    expect_refusal(&s, NULL, REFUSE_TOKEN_UNKNOWN, "did not make this token");
    close_scene(&s);
}

static void token_of_another_network_is_refused(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    s.token.network = *identity_id(lab.other);
    assert_int_equal(asking_join(&s.token, s.joiner, "", &s.asking), 0);
    open_channel(&s, 1, 1);
    expect_refusal(&s, NULL, REFUSE_NO_ISSUER, "no issuer of this network");
    assert_int_equal(s.said, 0); /* it shows no certificate */
    close_scene(&s);
}

static void network_of_another_name_is_refused(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    memcpy(s.token.name, "pub", sizeof("pub"));
    assert_int_equal(asking_join(&s.token, s.joiner, "", &s.asking), 0);
    open_channel(&s, 1, 1);
    expect_refusal(&s, NULL, 0, "another name than the token");
    close_scene(&s);
}

static void member_that_is_no_issuer_redeems_nothing(void **state)
{
    static const struct membership_seen nothing;
    struct scene s;

    (void)state;
    open_with_joiner(&s);
    entry_free(s.entry);
    assert_int_equal(entry_new(s.ms, identity_spki(s.joiner), &nothing, false, &s.entry), 0);
    expect_refusal(&s, NULL, REFUSE_NO_ISSUER, "no issuer of this network");
    close_scene(&s);
}

/* ---- issuers that lie ---- */

static struct cert_bytes lies;

static void alter(struct message *m, enum message_type type, const struct cert *c,
                  const struct identity *signer)
{
    if (m->type != type)
        return;
    lies = lab_sign(c, signer);
    m->certificate = lab_slice(&lies);
}

static void shows_another_network(struct scene *s, struct message *m)
{
    struct cert ca = lab_cert(CERT_CA, lab.other, lab.other), good = lab_ca(&lab);

    (void)s;
    ca.not_before = good.not_before;
    ca.not_after = good.not_after;
    ca.ranges[0] = good.ranges[0];
    ca.range_count = 1;
    alter(m, MESSAGE_NETWORK, &ca, lab.other);
}

static void shows_another_issuer(struct scene *s, struct message *m)
{
    struct cert c = lab_issuer(&lab);

    (void)s;
    c.id = *identity_id(lab.other);
    memcpy(c.spki, identity_spki(lab.other), sizeof(c.spki));
    alter(m, MESSAGE_ISSUER, &c, lab.ca);
}

static void gives_anothers_certificate(struct scene *s, struct message *m)
{
    struct cert c = lab_member(&lab);

    (void)s;
    memcpy(c.spki, identity_spki(lab.other), sizeof(c.spki));
    alter(m, MESSAGE_JOINED, &c, lab.issuer);
}

static void gives_what_has_ended(struct scene *s, struct message *m)
{
    struct cert c = lab_member(&lab);

    (void)s;
    c.not_before = LAB_NOW - 20 * LAB_DAY;
    c.not_after = LAB_NOW - LAB_DAY;
    alter(m, MESSAGE_JOINED, &c, lab.issuer);
}

static void issuer_that_lies_gets_no_proof_and_gives_nothing(void **state)
{
    static const struct {
        void (*lie)(struct scene *s, struct message *m);
        const char *reason;
        bool proof; /* it gets that far */
    } rows[] = {{shows_another_network, "is of another network", false},
                {shows_another_issuer, "is for another key than the peer has", false},
                {gives_anothers_certificate, "is for another key than the peer has", true},
                {gives_what_has_ended, "has expired", true}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene s;
        open_with_joiner(&s);
        expect_refusal(&s, rows[i].lie, 0, rows[i].reason);
        assert_int_equal(ledger_at(s.issuing.ledger, 0) != NULL, rows[i].proof);
        close_scene(&s);
    }
}

static void certificate_that_comes_unasked_is_none(void **state)
{
    struct cert c = lab_member(&lab);
    struct message m = {.type = MESSAGE_JOINED}, out;
    struct scene s;

    (void)state;
    open_with_joiner(&s);
    lies = lab_sign(&c, lab.issuer);
    m.certificate = lab_slice(&lies);
    assert_int_equal(asking_on_message(s.asking, &m), ASKING_ISSUER);
    m.type = MESSAGE_ISSUER; /* before the network's */
    assert_int_equal(asking_on_message(s.asking, &m), ASKING_ISSUER);
    assert_true(asking_take_answer(s.asking, &out));
    assert_false(asking_take_answer(s.asking, &out));
    asking_end(s.asking);
    assert_int_equal(asking_state(s.asking), ASKING_IDLE);
    close_scene(&s);
}

/* ---- joiners that lie ---- */

static void joiner_says_all_once(void **state)
{
    struct message m = {.type = MESSAGE_JOIN_ASK, .join_ask = {*identity_id(lab.ca)}}, out;
    struct scene s;

    (void)state;
    open_with_joiner(&s);
    assert_int_equal(entry_on_message(s.entry, &m, NOW_US), ENTRY_AWAITED);
    assert_true(entry_take_answer(s.entry, &out));
    assert_true(entry_take_answer(s.entry, &out));
    assert_int_equal(entry_on_message(s.entry, &m, NOW_US), ENTRY_REFUSED);
    assert_false(entry_take_answer(s.entry, &out));
    close_scene(&s);
}

static void proof_before_its_question_is_none(void **state)
{
    struct message join, out;
    struct scene s;

    (void)state;
    open_with_joiner(&s);
    assert_int_equal(talk(&s, NULL), ASKING_DONE);
    join =
        (struct message){.type = MESSAGE_JOIN,
                         .join = {{identity_spki(lab.other), IDENTITY_SPKI_LEN}, {s.issued.der, 4627}, ""}};
    assert_int_equal(entry_on_message(s.entry, &join, NOW_US), ENTRY_REFUSED); /* a second one */
    open_channel(&s, 1, 1);
    assert_int_equal(entry_on_message(s.entry, &join, NOW_US), ENTRY_REFUSED);
    assert_int_equal(entry_code(s.entry), REFUSE_NO_ISSUER);
    assert_false(entry_take_answer(s.entry, &out));
    close_scene(&s);
}

/* ---- members ---- */

/* One of the lab's, with a certificate that ends then. */
static struct membership *member_until(struct scene *s, uint64_t not_after)
{
    struct cert c = lab_member(&lab);
    enum membership_part part;
    enum cert_verdict why;
    struct membership *ms;

    c.not_after = not_after;
    c.not_before = not_after - (not_after > LAB_NOW ? 30 : 8) * LAB_DAY; /* its issuer is not old */
    struct cert_bytes b = lab_sign(&c, lab.issuer);
    const struct membership_chain chain = {lab_slice(&s->ca), lab_slice(&s->issuer), lab_slice(&b)};
    assert_int_equal(membership_new(&chain, identity_spki(lab.member), &part, &why, &ms), 0);
    return ms;
}

static void expect_renewed(uint64_t not_after)
{
    struct scene s;
    struct membership *ms;

    open_scene(&s);
    ms = member_until(&s, not_after);
    assert_int_equal(asking_renew(ms, lab.member, &s.asking), 0);
    open_channel(&s, 1, 1);
    assert_int_equal(talk(&s, NULL), ASKING_DONE);
    assert_int_equal(asking_cert(s.asking)->not_after, LAB_NOW + ISSUING_LIFE);
    assert_string_equal(asking_cert(s.asking)->name, "berlin");
    assert_int_equal(asking_cert(s.asking)->route_count, 2);
    assert_int_not_equal(entry_state(s.entry), ENTRY_ADMITTED);
    membership_free(ms);
    close_scene(&s);
}

static void member_gets_its_next_certificate(void **state)
{
    (void)state;
    expect_renewed(LAB_NOW + 10 * LAB_DAY);
    expect_renewed(LAB_NOW - 80 * LAB_DAY); /* expired, and renewable */
}

static void renewed_too_early_or_too_late_it_is_refused(void **state)
{
    static const struct {
        uint64_t not_after;
        int code;
    } rows[] = {{LAB_NOW + 29 * LAB_DAY, REFUSE_LATER}, {LAB_NOW - 91 * LAB_DAY, REFUSE_EXPIRED}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene s;
        open_scene(&s);
        struct membership *ms = member_until(&s, rows[i].not_after);
        assert_int_equal(asking_renew(ms, lab.member, &s.asking), 0);
        open_channel(&s, 1, 1);
        expect_refusal(&s, NULL, rows[i].code, "");
        membership_free(ms);
        close_scene(&s);
    }
}

static void gives_another_name(struct scene *s, struct message *m)
{
    struct cert c = lab_member(&lab);

    (void)s;
    memcpy(c.name, "paris", sizeof("paris"));
    alter(m, MESSAGE_JOINED, &c, lab.issuer);
}

static void gives_an_older_one(struct scene *s, struct message *m)
{
    struct cert c = lab_member(&lab);

    (void)s;
    c.not_after = LAB_NOW + 9 * LAB_DAY;
    alter(m, MESSAGE_JOINED, &c, lab.issuer);
}

static void renewal_to_another_name_or_backwards_is_none(void **state)
{
    void (*const rows[])(struct scene * s, struct message * m) = {gives_another_name, gives_an_older_one};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene s;
        open_scene(&s);
        struct membership *ms = member_until(&s, LAB_NOW + 10 * LAB_DAY);
        assert_int_equal(asking_renew(ms, lab.member, &s.asking), 0);
        open_channel(&s, 1, 1);
        expect_refusal(&s, rows[i], 0, "no later one of the same name");
        membership_free(ms);
        close_scene(&s);
    }
}

/* Who has no certificate of the network gets none by asking. */
static void stranger_is_not_renewed(void **state)
{
    struct cert c = lab_member(&lab);
    struct message ask = {.type = MESSAGE_CERT_ASK}, member = {.type = MESSAGE_MEMBER}, out;
    struct scene s;

    (void)state;
    open_with_joiner(&s);
    c.issuer = *identity_id(lab.other);
    lies = lab_sign(&c, lab.other);
    member.certificate = lab_slice(&lies);
    assert_int_equal(entry_on_message(s.entry, &ask, NOW_US), ENTRY_AWAITED);
    assert_int_equal(entry_on_message(s.entry, &member, NOW_US), ENTRY_ASKED);
    assert_true(entry_take_answer(s.entry, &out));
    assert_int_equal(out.type, MESSAGE_ISSUER_ASK);
    struct message issuer = {.type = MESSAGE_ISSUER, .certificate = lab_slice(&s.issuer)};
    assert_int_equal(entry_on_message(s.entry, &issuer, NOW_US), ENTRY_REFUSED);
    assert_false(entry_take_answer(s.entry, &out));
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_becomes_a_certificate),
        cmocka_unit_test(each_refusal_reaches_the_joiner),
        cmocka_unit_test(altered_token_is_refused),
        cmocka_unit_test(token_of_another_network_is_refused),
        cmocka_unit_test(network_of_another_name_is_refused),
        cmocka_unit_test(member_that_is_no_issuer_redeems_nothing),
        cmocka_unit_test(issuer_that_lies_gets_no_proof_and_gives_nothing),
        cmocka_unit_test(certificate_that_comes_unasked_is_none),
        cmocka_unit_test(joiner_says_all_once),
        cmocka_unit_test(proof_before_its_question_is_none),
        cmocka_unit_test(member_gets_its_next_certificate),
        cmocka_unit_test(renewed_too_early_or_too_late_it_is_refused),
        cmocka_unit_test(renewal_to_another_name_or_backwards_is_none),
        cmocka_unit_test(stranger_is_not_renewed),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
