/* SPDX-License-Identifier: Apache-2.0 */
/* net/notify: what a service manager reads on its socket, and that without one nothing happens. */

#include "net/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NAME "shadowmesh-test-notify"

static int manager; /* its socket */

/* The next message; empty: there is none. */
static const char *heard(void)
{
    static char text[512];
    ssize_t len = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static int bind_manager(void **state)
{
    char name[64];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)state;
    snprintf(name, sizeof(name), "@" NAME "-%d", (int)getpid());
    size_t len = strlen(name);
    memcpy(at.sun_path + 1, name + 1, len - 1);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return manager < 0 || setenv("NOTIFY_SOCKET", name, 1) ||
           bind(manager, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static int unbind_manager(void **state)
{
    (void)state;
    return close(manager);
}

static void without_a_manager_nothing_is_said(void **state)
{
    char kept[64];
    (void)state;
    snprintf(kept, sizeof(kept), "%s", getenv("NOTIFY_SOCKET"));
    unsetenv("NOTIFY_SOCKET");
    assert_true(notify_open());
    notify_ready();
    notify_status("nothing");
    notify_alive(1);
    assert_string_equal(heard(), "");
    setenv("NOTIFY_SOCKET", kept, 1);
}

static void a_socket_that_is_none_is_told(void **state)
{
    static const char *const wrong[] = {"", "/", "@", "relative", "/nowhere/at/all"};
    char kept[64], longer[sizeof(((struct sockaddr_un *)0)->sun_path) + 2];
    (void)state;
    snprintf(kept, sizeof(kept), "%s", getenv("NOTIFY_SOCKET"));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        setenv("NOTIFY_SOCKET", wrong[i], 1);
        assert_false(notify_open());
        assert_int_equal(errno, i + 1 < sizeof(wrong) / sizeof(*wrong) ? EINVAL : ENOENT);
    }
    memset(longer, '/', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    assert_false(notify_open());
    setenv("NOTIFY_SOCKET", kept, 1);
}

static void a_manager_hears_ready_states_and_signs_of_life(void **state)
{
    char pid[32];
    (void)state;
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "3000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    assert_true(notify_open());
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    notify_ready();
    assert_string_equal(heard(), "READY=1");
    notify_status("%d peers", 3);
    assert_string_equal(heard(), "STATUS=3 peers");
    notify_status("%d peers", 3);
    assert_string_equal(heard(), "");
    notify_alive(5000000);
    assert_string_equal(heard(), "WATCHDOG=1");
    notify_alive(5999999);
    assert_string_equal(heard(), "");
    notify_alive(6000000);
    assert_string_equal(heard(), "WATCHDOG=1");
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    notify_reloading();
    const char *text = heard();
    assert_int_equal(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    long long us = atoll(text + 27) - (now.tv_sec * 1000000ll + now.tv_nsec / 1000);
    assert_in_range(us, 0, 60 * 1000000);
    notify_stopping();
    assert_string_equal(heard(), "STOPPING=1");
}

static void the_watchdog_of_another_process_is_not_ours(void **state)
{
    char name[64];
    (void)state;
    snprintf(name, sizeof(name), "@" NAME "-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "3000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    assert_true(notify_open());
    notify_alive(UINT64_C(100000000));
    assert_string_equal(heard(), "");
}

static void a_manager_that_does_not_read_holds_nothing_up(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++)
        notify_status("%d peers", i);
    assert_string_equal(heard(), "STATUS=0 peers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_manager_nothing_is_said),
        cmocka_unit_test(a_socket_that_is_none_is_told),
        cmocka_unit_test(a_manager_hears_ready_states_and_signs_of_life),
        cmocka_unit_test(the_watchdog_of_another_process_is_not_ours),
        cmocka_unit_test(a_manager_that_does_not_read_holds_nothing_up),
    };
    return cmocka_run_group_tests(tests, bind_manager, unbind_manager);
}
