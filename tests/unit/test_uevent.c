/* SPDX-License-Identifier: Apache-2.0 */
/* net/uevent: the one event that counts, and those that look like it. */

#include "net/uevent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD      "change@/devices/platform/QEMUVGID:00\0ACTION=change\0DEVPATH=/devices/platform/QEMUVGID:00\0"
#define IS(text)  assert_true(uevent_is_new_machine((const uint8_t *)text, sizeof(text)))
#define NOT(text) assert_false(uevent_is_new_machine((const uint8_t *)text, sizeof(text)))

static void new_machine_is_known_by_its_key(void **state)
{
    (void)state;
    IS(HEAD "SUBSYSTEM=acpi\0NEW_VMGENID=1\0SEQNUM=4711");
    IS(HEAD "NEW_VMGENID=1");
    NOT(HEAD "SUBSYSTEM=acpi\0SEQNUM=4711");
    NOT(HEAD "NEW_VMGENID=0");
    NOT(HEAD "NEW_VMGENID=11");
    NOT(HEAD "XNEW_VMGENID=1");
    NOT(HEAD "PRODUCT=a NEW_VMGENID=1");
    NOT("");
}

static void cut_or_empty_message_is_none(void **state)
{
    static const uint8_t cut[] = HEAD "NEW_VMGENID=1";
    (void)state;
    assert_false(uevent_is_new_machine(cut, sizeof(cut) - 1));
    assert_false(uevent_is_new_machine(NULL, 0));
}

static void message_of_another_process_is_not_taken(void **state)
{
    static const char message[] = HEAD "NEW_VMGENID=1";
    struct sockaddr_nl to = {.nl_family = AF_NETLINK};
    socklen_t len = sizeof(to);
    int fd = -1, other;
    (void)state;
    if (geteuid() != 0)
        skip(); /* others may not send at all */
    assert_int_equal(uevent_open(&fd), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
    other = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    to.nl_groups = 0;
    assert_int_equal(sendto(other, message, sizeof(message), 0, (struct sockaddr *)&to, sizeof(to)),
                     sizeof(message));
    assert_int_equal(recv(fd, NULL, 0, MSG_PEEK), 0); /* it came */
    assert_false(uevent_drain(fd));
    close(other);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_machine_is_known_by_its_key),
        cmocka_unit_test(cut_or_empty_message_is_none),
        cmocka_unit_test(message_of_another_process_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
