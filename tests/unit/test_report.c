/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of peers, without a node: which are told, how often, and what stands for who looks later. */

#include "node/report/report.h"

#include "base/clock.h"
#include "node/report/warnings.h"
#include "node/report/who.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "log_lab.h"

static const struct node_id id = {.bytes = {0xa1, 0xb2, 0xc3, 0xd4, 0xe5}};
static struct warnings warnings;
static struct report report;
static uint64_t now_us;

static int prepare(void **state)
{
    warnings = (struct warnings){0};
    now_us = 1000 * USEC_PER_SEC;
    report_init(&report, NULL, &warnings);
    return capture(state);
}

static void assert_told(const char *part)
{
    const char *text = captured();
    if (!strstr(text, part))
        fail_msg("\"%s\" has no \"%s\"", text, part);
}

static void peers_are_called_by_name_and_id(void **state)
{
    char text[WHO_TEXT_MAX];
    (void)state;
    assert_string_equal(who_format(&id, "site-b", text), "site-b (a1b2c3d4e5)");
    assert_string_equal(who_format(&id, "", text), "a1b2c3d4e5000000000000000000000000000000");
    assert_string_equal(who_is_in(NULL, -1, text), "that is gone");
}

static void what_a_stranger_causes_is_told_now_and_then(void **state)
{
    (void)state;
    report_notice(&report, MESH_NOTICE_REFUSED, &id, "", "192.0.2.7: a stranger", now_us);
    assert_told("warn  peer a1b2c3d4e5000000000000000000000000000000: refused, at 192.0.2.7: a stranger\n");
    for (int i = 0; i < 100; i++)
        report_notice(&report, MESH_NOTICE_REFUSED, &id, "", "192.0.2.7: a stranger", now_us);
    assert_string_equal(captured(), "");
    now_us += USEC_PER_SEC;
    report_notice(&report, MESH_NOTICE_REFUSED, &id, "", "192.0.2.8: a stranger", now_us);
    assert_told("192.0.2.8: a stranger (and 100 like it)\n");
    report_notice(&report, MESH_NOTICE_LOST, &id, "site-b", "it said goodbye", now_us);
    assert_told("warn  peer site-b (a1b2c3d4e5): disconnected: it said goodbye\n");
}

static void limits_of_different_lines_are_their_own(void **state)
{
    (void)state;
    report_notice(&report, MESH_NOTICE_REFUSED, &id, "", "192.0.2.7: a stranger", now_us);
    assert_told("refused");
    report_notice(&report, MESH_NOTICE_EXCESS, &id, "site-b", "it says more than any node has to", now_us);
    assert_told("the connection is closed");
    report_circle(&report, "tap0", now_us);
    assert_told("a route leads our own datagrams into tap0");
    report_circle(&report, "tap0", now_us);
    assert_string_equal(captured(), "");
}

static void clock_that_is_off_is_told_once_and_again_when_it_is_mended(void **state)
{
    (void)state;
    report_clock(&report, 299);
    assert_string_equal(captured(), "");
    report_clock(&report, -3 * 86400);
    assert_told("this machine's clock is 3 days slow, by the backbone's");
    assert_non_null(warnings_text(&warnings, WARNING_CLOCK, now_us));
    report_clock(&report, -3 * 86400);
    assert_string_equal(captured(), "");
    report_clock(&report, 0);
    assert_told("agrees with the backbone's again");
    assert_null(warnings_text(&warnings, WARNING_CLOCK, now_us));
}

static void sockets_that_hold_little_are_told_with_the_cure(void **state)
{
    (void)state;
    report_queue(&report, 8 << 20);
    report_queue(&report, 4 << 20);
    assert_string_equal(captured(), "");
    report_queue(&report, 212992);
    assert_told("holds 208 KiB of what comes in instead of 8192");
    assert_non_null(
        strstr(warnings_text(&warnings, WARNING_QUEUE, now_us), "sysctl net.core.rmem_max=8388608"));
}

static void key_on_two_hosts_stands_for_who_looks_later(void **state)
{
    (void)state;
    report_notice(&report, MESH_NOTICE_SHARED_KEY, &id, "site-b", "192.0.2.7 and 192.0.2.8", now_us);
    assert_told("peer site-b (a1b2c3d4e5): two hosts use its key");
    report_notice(&report, MESH_NOTICE_OWN_KEY, &id, "site-b", ", from 192.0.2.9", now_us);
    assert_told("error another host uses our key");
    assert_non_null(strstr(warnings_text(&warnings, WARNING_SHARED_KEY, now_us), "192.0.2.7 and 192.0.2.8"));
    assert_non_null(strstr(warnings_text(&warnings, WARNING_OWN_KEY, now_us), "site-b"));
    assert_null(warnings_text(&warnings, WARNING_OWN_KEY, now_us + 3600 * USEC_PER_SEC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_are_called_by_name_and_id),
        cmocka_unit_test_setup_teardown(what_a_stranger_causes_is_told_now_and_then, prepare, release),
        cmocka_unit_test_setup_teardown(limits_of_different_lines_are_their_own, prepare, release),
        cmocka_unit_test_setup_teardown(clock_that_is_off_is_told_once_and_again_when_it_is_mended, prepare,
                                        release),
        cmocka_unit_test_setup_teardown(sockets_that_hold_little_are_told_with_the_cure, prepare, release),
        cmocka_unit_test_setup_teardown(key_on_two_hosts_stands_for_who_looks_later, prepare, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
