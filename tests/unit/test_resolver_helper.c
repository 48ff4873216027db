/* SPDX-License-Identifier: Apache-2.0 */
/* node/helper/resolver_helper: a file of names that follows the node, and is as before once the node is gone. */

#include "node/helper/resolver_helper.h"
#include "base/bytes.h"
#include "node/helper/helper_channel.h"
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define BEFORE "127.0.0.1\tlocalhost\n"

struct lab {
    char hosts[64];
    int fd;
    pid_t helper;
};

static void write_hosts(const struct lab *lab, const char *text)
{
    FILE *f = fopen(lab->hosts, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static const char *hosts(const struct lab *lab)
{
    static char text[65536];
    FILE *f = fopen(lab->hosts, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void hear(const struct lab *lab, enum resolver_mode mode, const char *text)
{
    static struct helper_packet packet;
    struct pollfd p = {.fd = lab->fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 30000), 1);
    assert_int_equal(helper_channel_receive(lab->fd, &packet), 0);
    assert_int_equal(packet.message.kind, HELPER_NAMES_HELD);
    assert_int_equal(packet.message.number, mode);
    assert_memory_equal(packet.message.text, text, strlen(text));
}

static struct lab start(enum resolver_mode mode)
{
    struct lab lab = {.hosts = "/tmp/shadowmesh-hosts-XXXXXX"};
    int theirs, file = mkstemp(lab.hosts);
    assert_true(file >= 0);
    close(file);
    write_hosts(&lab, BEFORE);
    assert_int_equal(helper_channel_open(&lab.fd, &theirs), 0);
    lab.helper = fork();
    if (lab.helper == 0) {
        const struct resolver_helper_config config = {mode, "lab", lab.hosts};
        close(lab.fd);
        _exit(resolver_helper_run(theirs, &config));
    }
    close(theirs);
    hear(&lab, mode, "");
    return lab;
}

static int end(struct lab *lab)
{
    int status;
    close(lab->fd);
    assert_int_equal(waitpid(lab->helper, &status, 0), lab->helper);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void finish(struct lab *lab, int code)
{
    assert_int_equal(end(lab), code);
    unlink(lab->hosts);
}

static void say(const struct lab *lab, enum helper_kind kind, const void *data, size_t len)
{
    struct helper_message m = {.kind = kind, .data = {data, len}};
    helper_message_set_text(&m, kind == HELPER_NAMES_SET ? "tap0" : "");
    assert_int_equal(helper_channel_send(lab->fd, &m), 0);
}

static void name(const struct lab *lab, const char *name)
{
    uint8_t data[256];
    struct writer w = writer_init(data, sizeof(data));
    writer_u8(&w, (uint8_t)strlen(name));
    writer_put(&w, name, strlen(name));
    writer_put(&w, "\1\4\12\0\0\1", 6);
    say(lab, HELPER_NAMES_SOME, data, writer_len(&w));
}

static void set(const struct lab *lab)
{
    say(lab, HELPER_NAMES_SET, "lab.internal\n", 13);
}

static void names_stand_in_the_file_until_the_node_is_gone(void **state)
{
    struct lab lab = start(RESOLVER_HOSTS);
    (void)state;
    name(&lab, "paris");
    name(&lab, "rome");
    assert_string_equal(hosts(&lab), BEFORE);
    set(&lab);
    hear(&lab, RESOLVER_HOSTS, "");
    assert_non_null(strstr(hosts(&lab), BEFORE));
    assert_non_null(strstr(hosts(&lab), "10.0.0.1\tparis.lab.internal\n10.0.0.1\trome.lab.internal\n"));
    name(&lab, "rome");
    set(&lab);
    hear(&lab, RESOLVER_HOSTS, "");
    assert_null(strstr(hosts(&lab), "paris"));
    assert_non_null(strstr(hosts(&lab), "rome"));
    assert_int_equal(end(&lab), EXIT_SUCCESS);
    assert_string_equal(hosts(&lab), BEFORE);
    unlink(lab.hosts);
}

static void persons_changes_meanwhile_stay(void **state)
{
    struct lab lab = start(RESOLVER_HOSTS);
    (void)state;
    name(&lab, "paris");
    set(&lab);
    hear(&lab, RESOLVER_HOSTS, "");
    char changed[65536];
    snprintf(changed, sizeof(changed), "10.9.9.9\tmine\n%s", hosts(&lab));
    write_hosts(&lab, changed);
    assert_int_equal(end(&lab), EXIT_SUCCESS);
    assert_string_equal(hosts(&lab), "10.9.9.9\tmine\n" BEFORE);
    unlink(lab.hosts);
}

static void what_is_no_name_ends_it_and_writes_nothing(void **state)
{
    static const char *const bad[] = {"a b", "a\nb", "x.y", "-a", "", "a#"};
    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct lab lab = start(RESOLVER_HOSTS);
        name(&lab, "paris");
        name(&lab, bad[i]);
        int status;
        assert_int_equal(waitpid(lab.helper, &status, 0), lab.helper);
        assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
        assert_string_equal(hosts(&lab), BEFORE);
        close(lab.fd);
        unlink(lab.hosts);
    }
}

static void parts_that_are_cut_end_it(void **state)
{
    (void)state;
    struct lab lab = start(RESOLVER_HOSTS);
    say(&lab, HELPER_NAMES_SOME, "\5pari", 5);
    int status;
    assert_int_equal(waitpid(lab.helper, &status, 0), lab.helper);
    assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
    close(lab.fd);
    unlink(lab.hosts);
}

static void link_in_the_files_place_is_not_followed(void **state)
{
    struct lab lab = start(RESOLVER_HOSTS);
    char other[80];
    (void)state;
    snprintf(other, sizeof(other), "%s.other", lab.hosts);
    assert_int_equal(rename(lab.hosts, other), 0);
    assert_int_equal(symlink(other, lab.hosts), 0);
    name(&lab, "paris");
    set(&lab);
    char why[256];
    snprintf(why, sizeof(why), "%s cannot be changed", lab.hosts);
    hear(&lab, RESOLVER_HOSTS, why);
    assert_string_equal(hosts(&lab), BEFORE);
    unlink(other);
    finish(&lab, EXIT_SUCCESS);
}

static void domains_become_no_other_words_of_the_command(void **state)
{
    static const char *const bad[] = {"-x\n", "a b\n", "a\n;\n", "", "\n", "a;b\n"};
    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct lab lab = start(RESOLVER_RESOLVED);
        int status;
        say(&lab, HELPER_NAMES_SET, bad[i], strlen(bad[i]));
        assert_int_equal(waitpid(lab.helper, &status, 0), lab.helper);
        assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
        close(lab.fd);
        unlink(lab.hosts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_stand_in_the_file_until_the_node_is_gone),
        cmocka_unit_test(persons_changes_meanwhile_stay),
        cmocka_unit_test(what_is_no_name_ends_it_and_writes_nothing),
        cmocka_unit_test(parts_that_are_cut_end_it),
        cmocka_unit_test(link_in_the_files_place_is_not_followed),
        cmocka_unit_test(domains_become_no_other_words_of_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
