/* SPDX-License-Identifier: Apache-2.0 */
/* proto/network/entry: what is asked, answered, and refused before a HELLO counts, and what a stranger costs. */

#include "proto/network/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "cert_lab.h"

static unsigned checks;

int __real_identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                           size_t len, const uint8_t *signature, size_t signature_len);
int __wrap_identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                           size_t len, const uint8_t *signature, size_t signature_len);

int __wrap_identity_verify(const uint8_t *spki, size_t spki_len, const char *context, const uint8_t *message,
                           size_t len, const uint8_t *signature, size_t signature_len)
{
    checks++;
    return __real_identity_verify(spki, spki_len, context, message, len, signature, signature_len);
}

/* One link: our membership, and the peer, whose key is lab.other. Its issuer is ours, or one that we do not know. */
struct scene {
    struct membership *ms;
    struct entry *entry;
    struct identity *far; /* the other issuer's key */
    struct cert_bytes far_issuer;
    struct cert_bytes near, distant; /* the peer's certificate, by our issuer and by the other one */
};

static struct cert peer_cert(const struct identity *issuer)
{
    struct cert c = lab_member(&lab);

    c.issuer = *identity_id(issuer);
    c.id = *identity_id(lab.other);
    memcpy(c.spki, identity_spki(lab.other), sizeof(c.spki));
    memcpy(c.name, "athens", sizeof("athens"));
    return c;
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
    membership_set_clock(ms, LAB_NOW, 0);
    return ms;
}

static void begin_again(struct scene *s, bool needless)
{
    const struct membership_seen none = {0};

    entry_free(s->entry);
    assert_int_equal(entry_new(s->ms, identity_spki(lab.other), &none, needless, &s->entry), 0);
    checks = 0;
}

static void open_scene(struct scene *s)
{
    struct cert issuer = lab_issuer(&lab), c;

    *s = (struct scene){.ms = open_membership()};
    assert_int_equal(identity_generate(&s->far), 0);
    issuer.id = *identity_id(s->far);
    memcpy(issuer.spki, identity_spki(s->far), sizeof(issuer.spki));
    s->far_issuer = lab_sign(&issuer, lab.ca);
    c = peer_cert(lab.issuer);
    s->near = lab_sign(&c, lab.issuer);
    c = peer_cert(s->far);
    s->distant = lab_sign(&c, s->far);
    begin_again(s, false);
}

static void close_scene(struct scene *s)
{
    entry_free(s->entry);
    membership_free(s->ms);
    identity_free(s->far);
}

static enum entry_state say(struct scene *s, enum message_type type, const struct cert_bytes *b)
{
    struct message m = {.type = type};

    m.certificate = lab_slice(b);
    return entry_on_message(s->entry, &m, 0);
}

static enum entry_state ask(struct scene *s, const struct node_id *issuer)
{
    const struct message m = {.type = MESSAGE_ISSUER_ASK, .issuer = {*issuer}};

    return entry_on_message(s->entry, &m, 0);
}

static enum entry_state greet(struct scene *s)
{
    const struct message m = {.type = MESSAGE_HELLO};

    return entry_on_message(s->entry, &m, 0);
}

static void assert_silent(struct scene *s)
{
    struct message m;

    assert_false(entry_take_answer(s->entry, &m));
}

static void assert_refused(struct scene *s, enum refuse_code code, const char *reason)
{
    assert_int_equal(entry_state(s->entry), ENTRY_REFUSED);
    assert_int_equal(entry_code(s->entry), code);
    assert_non_null(strstr(entry_reason(s->entry), reason));
    assert_true(entry_refusal(code)[0]);
    assert_silent(s);
    assert_null(entry_cert(s->entry));
}

static void a_member_of_our_issuer_is_admitted_at_once(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.near), ENTRY_ADMITTED);
    assert_string_equal(entry_cert(s.entry)->name, "athens");
    assert_int_equal(checks, 1);
    assert_silent(&s);
    assert_int_equal(greet(&s), ENTRY_ADMITTED);
    close_scene(&s);
}

static void an_unknown_issuer_is_asked_for_once(void **state)
{
    struct scene s;
    struct message m;

    (void)state;
    open_scene(&s);
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.distant), ENTRY_ASKED);
    assert_int_equal(greet(&s), ENTRY_ASKED); /* it comes with MEMBER */
    assert_true(entry_take_answer(s.entry, &m));
    assert_int_equal(m.type, MESSAGE_ISSUER_ASK);
    assert_int_equal(id_compare(&m.issuer.id, identity_id(s.far)), 0);
    assert_silent(&s);
    assert_int_equal(say(&s, MESSAGE_ISSUER, &s.far_issuer), ENTRY_ADMITTED);
    assert_int_equal(checks, 2);
    begin_again(&s, false);
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.distant), ENTRY_ADMITTED); /* it is known from now on */
    assert_int_equal(checks, 1);
    close_scene(&s);
}

static void the_same_certificate_costs_nothing_the_next_time(void **state)
{
    struct scene s;
    struct membership_seen seen;

    (void)state;
    open_scene(&s);
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.near), ENTRY_ADMITTED);
    seen = *entry_seen(s.entry);
    entry_free(s.entry);
    assert_int_equal(entry_new(s.ms, identity_spki(lab.other), &seen, false, &s.entry), 0);
    checks = 0;
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.near), ENTRY_ADMITTED);
    assert_int_equal(checks, 0);
    close_scene(&s);
}

static void whoever_shows_no_certificate_is_refused(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    assert_int_equal(greet(&s), ENTRY_REFUSED);
    assert_refused(&s, REFUSE_MEMBERS_ONLY, "shows no certificate");
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.near), ENTRY_REFUSED);
    assert_int_equal(checks, 0);
    close_scene(&s);
}

static void expect_refusal(struct scene *s, const struct cert *c, const struct identity *signer,
                           enum refuse_code code, const char *reason)
{
    struct cert_bytes b = lab_sign(c, signer);

    begin_again(s, false);
    (void)say(s, MESSAGE_MEMBER, &b);
    assert_refused(s, code, reason);
}

static void each_refusal_says_why(void **state)
{
    struct scene s;
    struct cert c;

    (void)state;
    open_scene(&s);
    c = lab_member(&lab);
    expect_refusal(&s, &c, lab.issuer, REFUSE_CERTIFICATE, "for another key");
    c = peer_cert(lab.issuer);
    memcpy(c.network, "other", sizeof("other"));
    expect_refusal(&s, &c, lab.issuer, REFUSE_OTHER_NETWORK, "another network");
    c = peer_cert(lab.issuer);
    c.not_before = LAB_NOW + 3 * LAB_DAY;
    expect_refusal(&s, &c, lab.issuer, REFUSE_NOT_YET,
                   "(athens) is not valid yet: a clock is wrong, here or there: it begins in 3 days");
    c = peer_cert(lab.issuer);
    c.not_after = LAB_NOW - 3 * 3600;
    expect_refusal(&s, &c, lab.issuer, REFUSE_EXPIRED,
                   "(athens) has expired and must be renewed: it ended 3 hours ago");
    close_scene(&s);
}

static void an_issuer_that_is_none_admits_nobody(void **state)
{
    struct scene s;
    struct cert issuer;
    struct cert_bytes b;

    (void)state;
    open_scene(&s);
    b = s.far_issuer;
    b.der[b.len - 1000] ^= 1;
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.distant), ENTRY_ASKED);
    assert_int_equal(say(&s, MESSAGE_ISSUER, &b), ENTRY_REFUSED);
    assert_refused(&s, REFUSE_CERTIFICATE, "was not signed");
    assert_int_equal(checks, 1);
    /* One of the CA, but not the one that was asked for. */
    begin_again(&s, false);
    issuer = lab_issuer(&lab);
    issuer.serial[2] = 77;
    b = lab_sign(&issuer, lab.ca);
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.distant), ENTRY_ASKED);
    assert_int_equal(say(&s, MESSAGE_ISSUER, &b), ENTRY_REFUSED);
    assert_refused(&s, REFUSE_OTHER_NETWORK, "own certificate is missing");
    close_scene(&s);
}

/* Neither further questions nor further certificates cost anything. */
static void a_liar_costs_two_signatures_and_one_answer(void **state)
{
    struct scene s;
    struct message m;

    (void)state;
    open_scene(&s);
    assert_int_equal(ask(&s, identity_id(lab.issuer)), ENTRY_AWAITED); /* we have not said who that is */
    assert_silent(&s);
    entry_shown(s.entry);
    assert_int_equal(ask(&s, identity_id(lab.other)), ENTRY_AWAITED); /* not our issuer's */
    assert_silent(&s);
    for (unsigned i = 0; i < 10; i++) {
        (void)ask(&s, identity_id(lab.issuer));
        (void)say(&s, MESSAGE_ISSUER, &s.far_issuer);
    }
    assert_true(entry_take_answer(s.entry, &m));
    assert_int_equal(m.type, MESSAGE_ISSUER);
    assert_int_equal(m.certificate.len, membership_bytes(s.ms, MEMBERSHIP_ISSUER).len);
    assert_silent(&s);
    assert_int_equal(checks, 0);
    for (unsigned i = 0; i < 10; i++)
        (void)say(&s, MESSAGE_MEMBER, &s.distant);
    assert_true(entry_take_answer(s.entry, &m));
    assert_int_equal(m.type, MESSAGE_ISSUER_ASK);
    for (unsigned i = 0; i < 10; i++)
        (void)say(&s, MESSAGE_ISSUER, &s.far_issuer);
    assert_int_equal(entry_state(s.entry), ENTRY_ADMITTED);
    assert_int_equal(checks, 2);
    close_scene(&s);
}

static void a_peer_of_our_lists_needs_none_and_is_answered(void **state)
{
    struct scene s;
    struct message m;

    (void)state;
    open_scene(&s);
    begin_again(&s, true);
    assert_int_equal(greet(&s), ENTRY_ADMITTED);
    entry_shown(s.entry);
    assert_int_equal(ask(&s, identity_id(lab.issuer)), ENTRY_ADMITTED);
    assert_true(entry_take_answer(s.entry, &m));
    assert_null(entry_cert(s.entry));
    assert_int_equal(checks, 0);
    close_scene(&s);
}

static void a_certificate_of_a_peer_of_our_lists_is_judged_and_refuses_nobody(void **state)
{
    struct cert_bytes forged;
    struct scene s;
    struct message m;

    (void)state;
    open_scene(&s);
    forged = s.near;
    forged.der[forged.len - 1] ^= 1;
    begin_again(&s, true);
    assert_int_equal(say(&s, MESSAGE_MEMBER, &forged), ENTRY_ADMITTED);
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.near), ENTRY_ADMITTED); /* once alone */
    assert_null(entry_cert(s.entry));
    assert_int_equal(checks, 1);
    begin_again(&s, true);
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.distant), ENTRY_ADMITTED);
    assert_false(entry_take_answer(s.entry, &m)); /* nor is its issuer asked for */
    assert_null(entry_cert(s.entry));
    begin_again(&s, true);
    assert_int_equal(say(&s, MESSAGE_MEMBER, &s.near), ENTRY_ADMITTED);
    assert_string_equal(entry_cert(s.entry)->name, "athens");
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_of_our_issuer_is_admitted_at_once),
        cmocka_unit_test(an_unknown_issuer_is_asked_for_once),
        cmocka_unit_test(the_same_certificate_costs_nothing_the_next_time),
        cmocka_unit_test(whoever_shows_no_certificate_is_refused),
        cmocka_unit_test(each_refusal_says_why),
        cmocka_unit_test(an_issuer_that_is_none_admits_nobody),
        cmocka_unit_test(a_liar_costs_two_signatures_and_one_answer),
        cmocka_unit_test(a_peer_of_our_lists_needs_none_and_is_answered),
        cmocka_unit_test(a_certificate_of_a_peer_of_our_lists_is_judged_and_refuses_nobody),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
