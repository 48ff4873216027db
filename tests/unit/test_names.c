/* SPDX-License-Identifier: Apache-2.0 */
/* node/network/names: what is answered of members, what the resolver's helper is told, and people of trouble.
 * The name server's sockets want a port below 1024: the linker puts this test in their place. */

#include "node/network/names.h"

#include "node/helper/helper_channel.h"
#include "node/network/name_server.h"
#include "proto/network/rolls.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "cert_lab.h"

#define MANY 2000 /* members: more than a message holds, or three */

/* The name server's part. */
static struct {
    struct dns_zone zone;
    unsigned count; /* addresses at which it was last told to serve */
    int serves;     /* what it says to that, and errno */
    int error;
    int begins; /* what it says at first */
} server;

int __wrap_name_server_new(uv_loop_t *loop, const struct dns_zone *zone, int broker,
                           struct name_server **out);
int __wrap_name_server_serve(struct name_server *s, const struct addr *list, unsigned count);
void __wrap_name_server_close(struct name_server *s);

int __wrap_name_server_new(uv_loop_t *loop, const struct dns_zone *zone, int broker, struct name_server **out)
{
    (void)loop, (void)broker;
    server.zone = *zone;
    *out = NULL;
    return server.begins;
}

int __wrap_name_server_serve(struct name_server *s, const struct addr *list, unsigned count)
{
    (void)s, (void)list;
    server.count = count;
    errno = server.error;
    return server.serves;
}

void __wrap_name_server_close(struct name_server *s)
{
    assert_null(s);
    server.count = 0;
}

/* ---- a network, its names, and a helper ---- */

static uv_loop_t loop;
static struct cert ca;
static struct rolls *rolls;
static struct names *names;
static int helper; /* its end of the channel; -1: there is none */
static struct helper_packet packet;

static void publish(unsigned count)
{
    static struct roster_member members[MANY];
    for (unsigned i = 0; i < count; i++) {
        members[i] = (struct roster_member){.id = {{(uint8_t)(i >> 8), (uint8_t)i, 1}},
                                            .since = LAB_NOW,
                                            .not_after = LAB_NOW + LAB_DAY,
                                            .addresses = {lab_addr("10.7.3.0")},
                                            .address_count = 1};
        members[i].addresses[0].ip[3] = (uint8_t)(i + 1);
        snprintf(members[i].name, sizeof(members[i].name), "node-%u", i);
    }
    assert_int_equal(rolls_publish(rolls, lab.issuer, members, count), 0);
}

static struct names_config config_of(void)
{
    return (struct names_config){.loop = &loop, .rolls = rolls, .ca = &ca, .device = "sm0", .broker = -1};
}

static int setup(void **state)
{
    struct cert issuer = lab_issuer(&lab);
    struct cert_bytes der = lab_sign(&issuer, lab.ca);
    int node;
    (void)state;
    memset(&server, 0, sizeof(server));
    ca = lab_ca(&lab);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(rolls_new(&ca, &rolls), 0);
    rolls_on_time(rolls, LAB_NOW);
    assert_int_equal(rolls_take(rolls, LIST_ISSUER, lab_slice(&der)), ROLLS_NEWER);
    publish(2);
    assert_int_equal(helper_channel_open(&node, &helper), 0);
    assert_int_equal(fcntl(helper, F_SETFL, O_NONBLOCK), 0);
    const struct names_config config = config_of();
    assert_int_equal(names_new(&config, node, &names), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    names_close(names);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (helper >= 0)
        close(helper);
    rolls_free(rolls);
    return uv_loop_close(&loop);
}

static void serve(void)
{
    const struct addr_prefix own = lab_prefix("10.7.3.1", 24);
    names_serve(names, &own, 1);
    assert_int_equal(server.count, 1);
}

/* The helper says so, and the node hears it. */
static void say_held(uint64_t mode, const char *text)
{
    struct helper_message m = {.kind = HELPER_NAMES_HELD, .number = mode};
    helper_message_set_text(&m, text);
    assert_int_equal(helper_channel_send(helper, &m), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* How many members a message of names has; each is 1 + its name + 1 + 5 bytes here. */
static unsigned count_names(struct slice data)
{
    unsigned count = 0;
    for (size_t at = 0; at < data.len; count++)
        at += 1 + data.data[at] + 1 + 5;
    return count;
}

static void is_told_set(const char *domains)
{
    assert_int_equal(packet.message.kind, HELPER_NAMES_SET);
    assert_string_equal(packet.message.text, "sm0");
    assert_int_equal(packet.message.address_count, 1);
    assert_int_equal(packet.message.data.len, strlen(domains));
    assert_memory_equal(packet.message.data.data, domains, strlen(domains));
}

/* ---- tests ---- */

static void members_are_found_by_name_and_by_address(void **state)
{
    const struct dns_zone *z = &server.zone;
    struct addr at[DNS_ADDRESSES_MAX], second = lab_addr("10.7.3.2"), nobodys = lab_addr("10.7.3.200"),
                                       other = lab_addr("192.0.2.1");
    char name[DNS_LABEL_MAX];
    (void)state;
    assert_string_equal(z->network, "lab");
    assert_int_equal(z->addresses(z->context, "node-1", at), 1);
    assert_true(addr_same_host(&at[0], &second));
    assert_true(z->addresses(z->context, "rome", at) < 0);
    assert_int_equal(z->name(z->context, &second, name), 0);
    assert_string_equal(name, "node-1");
    assert_int_equal(z->name(z->context, &nobodys, name), ERR_NOT_FOUND);
    assert_int_equal(z->name(z->context, &other, name), ERR_MISMATCH);
}

static void resolver_that_asks_is_told_once_whom(void **state)
{
    (void)state;
    serve();
    assert_int_equal(helper_channel_receive(helper, &packet), ERR_AGAIN);
    say_held(RESOLVER_RESOLVED, "");
    assert_int_equal(names_mode(names), RESOLVER_RESOLVED);
    names_tick(names);
    assert_int_equal(helper_channel_receive(helper, &packet), 0);
    is_told_set("lab.internal\n~3.7.10.in-addr.arpa\n");
    publish(1);
    names_tick(names);
    assert_int_equal(helper_channel_receive(helper, &packet), ERR_AGAIN);
}

static void file_gets_all_members_again_when_they_change(void **state)
{
    (void)state;
    say_held(RESOLVER_HOSTS, "");
    serve();
    for (unsigned count = 2; count; count--) {
        assert_int_equal(helper_channel_receive(helper, &packet), 0);
        assert_int_equal(packet.message.kind, HELPER_NAMES_SOME);
        assert_int_equal(count_names(packet.message.data), count);
        assert_memory_equal(packet.message.data.data, "\6node-0\1\4\12\7\3\1", 13);
        assert_int_equal(helper_channel_receive(helper, &packet), 0);
        is_told_set("lab.internal\n~3.7.10.in-addr.arpa\n");
        names_tick(names);
        assert_int_equal(helper_channel_receive(helper, &packet), ERR_AGAIN);
        publish(1);
        names_tick(names);
    }
}

static void helper_that_takes_little_at_once_gets_the_rest_later(void **state)
{
    struct names_config config = config_of();
    const int little = 8192;
    unsigned told = 0, parts = 0, ticks = 0;
    int node;
    (void)state;
    names_close(names);
    close(helper);
    assert_int_equal(helper_channel_open(&node, &helper), 0);
    assert_int_equal(fcntl(helper, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(setsockopt(node, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
    assert_int_equal(names_new(&config, node, &names), 0);
    publish(MANY);
    say_held(RESOLVER_HOSTS, "");
    serve();
    for (packet.message.kind = HELPER_READY; packet.message.kind != HELPER_NAMES_SET; ticks++) {
        assert_true(ticks < MANY);
        while (helper_channel_receive(helper, &packet) == 0 && packet.message.kind == HELPER_NAMES_SOME)
            told += count_names(packet.message.data), parts++;
        names_tick(names);
    }
    assert_int_equal(told, MANY);
    assert_true(parts > 3 && ticks > 1);
}

static void trouble_of_the_server_is_told_until_it_is_over(void **state)
{
    static const struct {
        int serves, error;
        const char *part;
    } cases[] = {{ERR_BUSY, 0, "another program has port 53"},
                 {ERR_PERMISSION, 0, "CAP_NET_BIND_SERVICE"},
                 {ERR_IO, EADDRNOTAVAIL, "Cannot assign"},
                 {0, 0, ""}};
    (void)state;
    server.serves = ERR_BUSY;
    serve();
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        server.serves = cases[i].serves;
        server.error = cases[i].error;
        server.count = 0;
        names_tick(names);
        assert_int_equal(server.count, 1); /* it was tried again */
        assert_non_null(strstr(names_trouble(names), cases[i].part));
    }
    assert_string_equal(names_trouble(names), "");
    server.count = 0;
    names_tick(names);
    assert_int_equal(server.count, 0);
}

static void trouble_of_the_resolver_is_told_until_it_is_over(void **state)
{
    (void)state;
    say_held(RESOLVER_OFF, "nobody may change /etc/hosts");
    assert_string_equal(names_trouble(names), "nobody may change /etc/hosts");
    say_held(RESOLVER_HOSTS, "");
    assert_string_equal(names_trouble(names), "");
    assert_int_equal(names_mode(names), RESOLVER_HOSTS);
}

static void helper_that_ends_or_says_nonsense_is_given_up(void **state)
{
    (void)state;
    say_held(RESOLVER_RESOLVED, "");
    say_held(RESOLVER_AUTO, "");
    assert_int_equal(names_mode(names), RESOLVER_OFF);
    assert_non_null(strstr(names_trouble(names), "has ended: restart the node"));
    assert_int_equal(helper_channel_receive(helper, &packet), ERR_CLOSED);
    serve(); /* names are answered all the same */
}

static void without_a_helper_names_are_answered(void **state)
{
    struct names_config config = config_of();
    (void)state;
    names_close(names);
    assert_int_equal(names_new(&config, -1, &names), 0);
    serve();
    names_tick(names);
    assert_int_equal(names_mode(names), RESOLVER_OFF);
    assert_string_equal(names_trouble(names), "");
}

static void channel_is_closed_when_memory_is_short(void **state)
{
    struct names_config config = config_of();
    struct names *none;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)state;
    server.begins = ERR_NOMEM;
    assert_int_equal(names_new(&config, fd, &none), ERR_NOMEM);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_are_found_by_name_and_by_address),
        TEST(resolver_that_asks_is_told_once_whom),
        TEST(file_gets_all_members_again_when_they_change),
        TEST(helper_that_takes_little_at_once_gets_the_rest_later),
        TEST(trouble_of_the_server_is_told_until_it_is_over),
        TEST(trouble_of_the_resolver_is_told_until_it_is_over),
        TEST(helper_that_ends_or_says_nonsense_is_given_up),
        TEST(without_a_helper_names_are_answered),
        TEST(channel_is_closed_when_memory_is_short),
    };
    return cmocka_run_group_tests(tests, cert_lab_setup, cert_lab_teardown);
}
