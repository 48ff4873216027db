/* SPDX-License-Identifier: Apache-2.0 */
/* What a running member knows of its network's signers: whether it may sign itself, and whether what it knows is old. */

#include "node/network/registry.h"

#include "base/clock.h"
#include "proto/network/membership.h"
#include "proto/network/rolls.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "cert_lab.h"

static char keydir[64];
static uv_loop_t loop;
static struct membership *membership;
static struct registry *registry;

/* The lab's issuer is a member, too. */
static void open_registry(bool is_issuer)
{
    struct cert ca = lab_ca(&lab), issuer = lab_issuer(&lab), member = lab_member(&lab);
    member.id = *identity_id(lab.issuer);
    memcpy(member.spki, identity_spki(lab.issuer), IDENTITY_SPKI_LEN);
    struct cert_bytes ders[] = {lab_sign(&ca, lab.ca), lab_sign(&issuer, lab.ca),
                                lab_sign(&member, lab.issuer)};
    const struct membership_chain chain = {lab_slice(&ders[0]), lab_slice(&ders[1]), lab_slice(&ders[2])};
    enum membership_part part;
    enum cert_verdict why;
    assert_int_equal(membership_new(&chain, identity_spki(lab.issuer), &part, &why, &membership), 0);
    membership_set_clock(membership, LAB_NOW, 0);
    const struct registry_config config = {
        .loop = &loop,
        .keydir = keydir,
        .me = lab.issuer,
        .membership = membership,
        .own_issuer = is_issuer ? lab_slice(&ders[1]) : (struct slice){0},
    };
    assert_int_equal(registry_open(&config, 0, &registry), 0);
}

static int setup(void **state)
{
    (void)state;
    snprintf(keydir, sizeof(keydir), "/tmp/test_registry.XXXXXX");
    assert_non_null(mkdtemp(keydir));
    return uv_loop_init(&loop);
}

static int teardown(void **state)
{
    (void)state;
    char path[96];
    registry_close(registry);
    membership_free(membership);
    snprintf(path, sizeof(path), "%s/lists", keydir);
    assert_int_equal(rmdir(path), 0); /* nothing was saved */
    assert_int_equal(rmdir(keydir), 0);
    return uv_loop_close(&loop);
}

static void only_an_issuer_signs(void **state)
{
    (void)state;
    open_registry(true);
    assert_true(registry_signs(registry));
}

static void member_signs_nothing(void **state)
{
    (void)state;
    open_registry(false);
    assert_false(registry_signs(registry));
    assert_int_equal(rolls_revoke(registry_rolls(registry), lab.issuer, NULL), ERR_NOT_FOUND);
}

static void old_lists_are_told(void **state)
{
    (void)state;
    char text[256] = "";
    open_registry(true);
    assert_true(registry_is_old(registry, 0, text, sizeof(text)));
    assert_non_null(strstr(text, "there is no list"));
    assert_int_equal(rolls_revoke(registry_rolls(registry), lab.issuer, NULL), 0);
    assert_false(registry_is_old(registry, 0, text, sizeof(text)));
    rolls_on_time(registry_rolls(registry), LAB_NOW + 26 * 3600);
    assert_true(registry_is_old(registry, 26 * 3600 * USEC_PER_SEC, text, sizeof(text)));
    assert_non_null(strstr(text, "is 26 hours old"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_an_issuer_signs),
        TEST(member_signs_nothing),
        TEST(old_lists_are_told),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
