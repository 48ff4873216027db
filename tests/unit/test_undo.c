/* SPDX-License-Identifier: Apache-2.0 */
/* node/device/undo: the record that a start finds after a node was killed is taken whole and
 * exact, or not at all. */

#include "node/device/undo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char whole[] = "shadowmesh-undo 1\nplace 6f3c/4026532455\ndevice tap7 12\ndown\n"
                            "rp_filter 0\narp_ignore 0\narp_announce -1\nend\n";

static int decode(const char *text, struct undo *out)
{
    return undo_decode(text, strlen(text), out);
}

static void a_record_is_read_as_it_was_written(void **state)
{
    struct undo u;
    char text[UNDO_TEXT_MAX];
    (void)state;
    assert_int_equal(decode(whole, &u), 0);
    assert_string_equal(u.place, "6f3c/4026532455");
    assert_string_equal(u.device, "tap7");
    assert_int_equal(u.index, 12);
    assert_true(u.down);
    assert_string_equal(u.before[0], "0");
    assert_string_equal(u.before[2], "-1");
    assert_int_equal(undo_encode(&u, text), strlen(whole));
    assert_string_equal(text, whole);
}

static void settings_and_the_state_may_be_missing(void **state)
{
    struct undo u;
    (void)state;
    assert_int_equal(decode("shadowmesh-undo 1\nplace p\ndevice tap7 12\narp_ignore 1\nend\n", &u), 0);
    assert_false(u.down);
    assert_string_equal(u.before[0], "");
    assert_string_equal(u.before[1], "1");
}

static void the_longest_record_fits(void **state)
{
    struct undo u = {.index = INT32_MAX, .down = true}, again;
    char text[UNDO_TEXT_MAX];
    (void)state;
    memset(u.place, 'p', sizeof(u.place) - 1);
    memset(u.device, 'd', sizeof(u.device) - 1);
    for (unsigned i = 0; i < UNDO_SETTINGS; i++)
        memset(u.before[i], '9', UNDO_VALUE_MAX - 1);
    size_t len = undo_encode(&u, text);
    assert_true(len < UNDO_TEXT_MAX / 2 + UNDO_TEXT_MAX / 4);
    assert_int_equal(undo_decode(text, len, &again), 0);
    assert_memory_equal(&again, &u, sizeof(u));
}

static void what_is_not_a_record_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "end\n",
        "shadowmesh-undo 1\n",
        "shadowmesh-undo 2\nplace p\ndevice tap7 12\nend\n",
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\n",                        /* cut */
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\nend",                     /* cut */
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\nend\nend\n",              /* more */
        "shadowmesh-undo 1\nplace \ndevice tap7 12\nend\n",                    /* no place */
        "shadowmesh-undo 1\nplace p\ndevice tap7\nend\n",                      /* no index */
        "shadowmesh-undo 1\nplace p\ndevice tap7 0\nend\n",                    /* none has it */
        "shadowmesh-undo 1\nplace p\ndevice tap7 012\nend\n",                  /* two forms */
        "shadowmesh-undo 1\nplace p\ndevice tap7 -1\nend\n",                   /* no number */
        "shadowmesh-undo 1\nplace p\ndevice tap7 4294967308\nend\n",           /* 12 modulo 2^32 */
        "shadowmesh-undo 1\nplace p\ndevice tap7 18446744073709551628\nend\n", /* modulo 2^64 */
        "shadowmesh-undo 1\nplace p\ndevice abcdefghijklmnop 12\nend\n",       /* no name is so long */
        "shadowmesh-undo 1\nplace p\ndevice  12\nend\n",                       /* no name */
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\nrp_filter \nend\n",       /* no value */
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\nrp_filter 1x\nend\n",     /* no number */
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\nrp_filter -\nend\n",      /* no number */
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\nrp_filter 1234567890123456\nend\n",
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\nrp_filter 0\nrp_filter 0\nend\n",  /* twice */
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\narp_ignore 0\nrp_filter 0\nend\n", /* order */
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\nforwarding 1\nend\n",              /* none of ours */
        "shadowmesh-undo 1\nplace p\ndevice tap7 12\nrp_filter 0\ndown\nend\n",         /* order */
        "shadowmesh-undo 1\r\nplace p\r\ndevice tap7 12\r\nend\r\n",
    };
    static const struct undo empty;
    struct undo u;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (decode(bad[i], &u) != ERR_FORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_memory_equal(&u, &empty, sizeof(u));
    }
    assert_int_equal(undo_decode(whole, sizeof(whole), &u), ERR_FORMAT); /* with the zero */
}

/* In a buffer of its own size, so that a sanitizer sees every byte read behind it. */
static int decode_copy(const char *text, size_t len, struct undo *out)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    int err = undo_decode(copy, len, out);
    free(copy);
    return err;
}

static void damage_is_refused_or_yields_another_whole_record(void **state)
{
    uint32_t seed = 1;
    char text[sizeof(whole)], again[UNDO_TEXT_MAX];
    struct undo u;
    (void)state;
    for (size_t len = 0; len < strlen(whole); len++)
        assert_int_equal(decode_copy(whole, len, &u), ERR_FORMAT);
    for (unsigned round = 0; round < 100000; round++) {
        memcpy(text, whole, sizeof(whole));
        seed = seed * 1664525 + 1013904223;
        text[(seed >> 8) % strlen(whole)] = (char)(seed >> 24);
        if (decode_copy(text, strlen(whole), &u))
            continue;
        assert_int_equal(undo_encode(&u, again), strlen(whole));
        assert_memory_equal(again, text, strlen(whole));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(settings_and_the_state_may_be_missing),
        cmocka_unit_test(the_longest_record_fits),
        cmocka_unit_test(what_is_not_a_record_is_refused),
        cmocka_unit_test(damage_is_refused_or_yields_another_whole_record),
    };
    return cmocka_run_group_tests_name("undo", tests, NULL, NULL);
}
