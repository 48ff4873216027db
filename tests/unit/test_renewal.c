/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/renewal: when issuers are asked, in which order, and what people are told when none answers. */

#include "node/network/renewal.h"

#include "base/clock.h"
#include "base/folder.h"
#include "proto/mesh/mesh.h"
#include "proto/network/asking.h"
#include "proto/network/membership.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "cert_lab.h"
#include "log_lab.h"

#define START_US (100 * USEC_PER_SEC)

/* The mesh's part. */
static struct {
    unsigned count;
    struct node_id issuer; /* whom it was last told to ask */
    struct asking *asking; /* … by this; NULL: nobody */
    bool unknown;          /* that issuer is no peer */
} asked;

int __wrap_mesh_ask(struct mesh *m, const struct node_id *issuer, struct asking *a, uint64_t now_us);
void __wrap_mesh_on_renewed(struct mesh *m, uint64_t now_us);

int __wrap_mesh_ask(struct mesh *m, const struct node_id *issuer, struct asking *a, uint64_t now_us)
{
    (void)m;
    (void)now_us;
    asked.asking = a;
    if (!a)
        return 0;
    asked.count++;
    asked.issuer = *issuer;
    return asked.unknown ? ERR_NOT_FOUND : 0;
}

void __wrap_mesh_on_renewed(struct mesh *m, uint64_t now_us)
{
    (void)m;
    (void)now_us;
}

struct scene {
    struct membership *ms;
    struct renewal *renewal;
    struct cert_bytes ca, issuer;
    uint64_t begin_s, life_s; /* of our certificate */
};

static struct cert_bytes sign_member(uint64_t from, uint64_t to)
{
    struct cert c = lab_member(&lab);

    c.not_before = from;
    c.not_after = to;
    return lab_sign(&c, lab.issuer);
}

static void open_scene(struct scene *s)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab);
    struct cert_bytes member = sign_member(LAB_NOW, LAB_NOW + 30 * LAB_DAY);
    const struct renewal_config config = {.network = "lab", .keydir = -1, .me = lab.member};
    struct renewal_config whole = config;
    enum membership_part part;
    enum cert_verdict why;

    memset(&asked, 0, sizeof(asked));
    *s = (struct scene){.begin_s = LAB_NOW, .life_s = 30 * LAB_DAY};
    s->ca = lab_sign(&ca, lab.ca);
    s->issuer = lab_sign(&issuer, lab.ca);
    const struct membership_chain chain = {lab_slice(&s->ca), lab_slice(&s->issuer), lab_slice(&member)};
    assert_int_equal(membership_new(&chain, identity_spki(lab.member), &part, &why, &s->ms), 0);
    whole.membership = s->ms;
    assert_int_equal(renewal_open(&whole, &s->renewal), 0);
}

static void close_scene(struct scene *s)
{
    renewal_close(s->renewal);
    membership_free(s->ms);
}

/* A second in which so many thousandths of our certificate's life are over; after_us tells seconds from each other. */
static void tick_at(struct scene *s, unsigned thousandths, uint64_t after_us)
{
    uint64_t now_us = START_US + after_us;

    membership_set_clock(s->ms, s->begin_s + s->life_s * thousandths / 1000, now_us);
    renewal_tick(s->renewal, NULL, now_us);
}

static void nobody_is_asked_before_half_its_life(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    tick_at(&s, 0, 0);
    tick_at(&s, 499, USEC_PER_SEC);
    assert_int_equal(asked.count, 0);
    tick_at(&s, 563, 2 * USEC_PER_SEC); /* with the most that it may be put off */
    assert_int_equal(asked.count, 1);
    assert_int_equal(id_compare(&asked.issuer, identity_id(lab.issuer)), 0);
    assert_string_equal(renewal_text(s.renewal), "");
    close_scene(&s);
    assert_null(asked.asking);
}

static void who_does_not_answer_gives_way_to_the_next_and_then_to_a_pause(void **state)
{
    struct cert far = lab_issuer(&lab);
    struct scene s;

    (void)state;
    open_scene(&s);
    far.id = *identity_id(lab.other);
    memcpy(far.spki, identity_spki(lab.other), sizeof(far.spki));
    struct cert_bytes b = lab_sign(&far, lab.ca);
    membership_set_clock(s.ms, LAB_NOW, START_US);
    assert_int_equal(membership_learn(s.ms, lab_slice(&b), START_US), CERT_OK);
    tick_at(&s, 600, 0);
    tick_at(&s, 600, 7 * USEC_PER_SEC);
    assert_int_equal(asked.count, 1);
    tick_at(&s, 600, 8 * USEC_PER_SEC);
    assert_int_equal(asked.count, 2);
    assert_int_equal(id_compare(&asked.issuer, identity_id(lab.other)), 0);
    tick_at(&s, 600, 16 * USEC_PER_SEC); /* both were */
    assert_null(asked.asking);
    assert_non_null(strstr(renewal_text(s.renewal), "no issuer answers"));
    tick_at(&s, 600, 3600 * USEC_PER_SEC);
    assert_int_equal(asked.count, 2);
    tick_at(&s, 600, 3617 * USEC_PER_SEC);
    assert_int_equal(asked.count, 3);
    assert_int_equal(id_compare(&asked.issuer, identity_id(lab.issuer)), 0);
    close_scene(&s);
}

static void what_is_not_renewed_is_told_ever_more_urgently(void **state)
{
    static const unsigned when[] = {600, 601, 760, 761, 910, 1100};
    static const char *const said[] = {"ends in 12 days", NULL,         "ends in 7 days", NULL,
                                       "ends in 2 days",  "has expired"};
    struct scene s;

    (void)state;
    open_scene(&s);
    asked.unknown = true;
    for (size_t i = 0; i < sizeof(when) / sizeof(when[0]); i++) {
        tick_at(&s, when[i], i * 3700 * USEC_PER_SEC);
        const char *line = captured();
        if (said[i] ? !strstr(line, said[i]) : line[0] != '\0')
            fail_msg("at %u: %s", when[i], line);
    }
    assert_non_null(strstr(renewal_text(s.renewal), "has expired and is not renewed"));
    close_scene(&s);
}

static int setup(void **state)
{
    return cert_lab_setup(state) || capture(state);
}

static int teardown(void **state)
{
    release(state);
    return cert_lab_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_asked_before_half_its_life),
        cmocka_unit_test(who_does_not_answer_gives_way_to_the_next_and_then_to_a_pause),
        cmocka_unit_test(what_is_not_renewed_is_told_ever_more_urgently),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
