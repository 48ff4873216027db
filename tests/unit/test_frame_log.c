/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the frames that workers tell of are shown. */

#include "node/report/frame_log.h"

#include "node/data/worker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "log_lab.h"

#define HINT "only the first 5 frames of each direction are shown: -v shows more\n"

static void tell(struct frame_log *f, bool to_device, unsigned times)
{
    const struct worker_trace trace = {.to_device = to_device, .len = 98};
    for (unsigned i = 0; i < times; i++)
        frame_log_tell(f, &trace);
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

static void first_frames_of_each_direction_are_shown_and_the_hint_once(void **state)
{
    struct frame_log f;
    (void)state;
    frame_log_init(&f, false);
    assert_int_equal(frame_log_traces(&f), FRAME_LOG_FIRST);
    tell(&f, false, FRAME_LOG_FIRST + 2);
    const char *text = captured();
    assert_int_equal(count(text, "info  TAP→P2P: "), FRAME_LOG_FIRST);
    assert_int_equal(count(text, HINT), 1);
    tell(&f, true, FRAME_LOG_FIRST + 2);
    text = captured();
    assert_int_equal(count(text, "info  P2P→TAP: "), FRAME_LOG_FIRST);
    assert_int_equal(count(text, HINT), 0);
}

static void verbose_node_shows_every_frame(void **state)
{
    struct frame_log f;
    (void)state;
    log_set_level(LOG_LEVEL_DEBUG);
    frame_log_init(&f, true);
    assert_true(frame_log_traces(&f) == WORKER_TRACES_ALL);
    tell(&f, true, 3 * FRAME_LOG_FIRST);
    const char *text = captured();
    assert_int_equal(count(text, "debug P2P→TAP: "), 3 * FRAME_LOG_FIRST);
    assert_int_equal(count(text, "only the first"), 0);
}

static void what_verbose_shows_ends_with_it(void **state)
{
    struct frame_log f;
    (void)state;
    log_set_level(LOG_LEVEL_DEBUG);
    frame_log_init(&f, false);
    tell(&f, true, FRAME_LOG_FIRST);
    frame_log_set_verbose(&f, true);
    assert_true(frame_log_traces(&f) == WORKER_TRACES_ALL);
    tell(&f, true, 1);
    assert_int_equal(count(captured(), "debug P2P→TAP: "), 1);
    frame_log_set_verbose(&f, false);
    tell(&f, true, 1);
    assert_int_equal(count(captured(), "P2P→TAP: "), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_frames_of_each_direction_are_shown_and_the_hint_once, capture,
                                        release),
        cmocka_unit_test_setup_teardown(verbose_node_shows_every_frame, capture, release),
        cmocka_unit_test_setup_teardown(what_verbose_shows_ends_with_it, capture, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
