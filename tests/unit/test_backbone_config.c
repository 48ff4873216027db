/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of shadowmesh-backbone. */

#include "backbone/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct backbone_config config;
static char said[1024]; /* on stderr by the last parse */

static enum flags_result parse(const char **argv)
{
    int argc = 0, saved = dup(STDERR_FILENO), pipe_fds[2];
    while (argv[argc])
        argc++;
    assert_int_equal(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    enum flags_result result = backbone_config_parse(argc, (char **)(uintptr_t)argv, &config);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_fds[1]);
    ssize_t n = read(pipe_fds[0], said, sizeof(said) - 1);
    said[n > 0 ? n : 0] = '\0';
    close(pipe_fds[0]);
    return result;
}

#define PARSE(...) parse((const char *[]){"shadowmesh-backbone", __VA_ARGS__ __VA_OPT__(, ) NULL})

static void defaults_are_the_documented_ones(void **state)
{
    (void)state;
    assert_int_equal(PARSE(), FLAGS_RUN);
    assert_int_equal(config.listen.family, 0);
    assert_int_equal(config.listen.port, 8080);
    assert_string_equal(config.data_dir, "./backbone-data");
    assert_false(config.verbose);
}

static void every_flag_has_two_forms_and_takes_its_value_either_way(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-listen", "9000", "--data", "/x", "-v"), FLAGS_RUN);
    assert_int_equal(config.listen.port, 9000);
    assert_string_equal(config.data_dir, "/x");
    assert_true(config.verbose);
    assert_int_equal(PARSE("--listen=9001", "-data=/y", "--v"), FLAGS_RUN);
    assert_int_equal(config.listen.port, 9001);
    assert_string_equal(config.data_dir, "/y");
    assert_true(config.verbose);
}

static void listen_takes_ports_and_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int family, port;
    } cases[] = {{"1", 0, 1},
                 {":65535", 0, 65535},
                 {"0", 0, 0},
                 {"192.0.2.1", 4, 8080},
                 {"192.0.2.1:81", 4, 81},
                 {"127.0.0.1:0", 4, 0},
                 {"::1", 6, 8080},
                 {"[2001:db8::1]:82", 6, 82},
                 {"[::1]:0", 6, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(PARSE("-listen", cases[i].text), FLAGS_RUN);
        assert_int_equal(config.listen.family, cases[i].family);
        assert_int_equal(config.listen.port, cases[i].port);
    }
}

static void expect_one_line_that_names(const char *what)
{
    size_t len = strlen(said);
    assert_true(len > 0 && said[len - 1] == '\n' && strchr(said, '\n') == said + len - 1);
    assert_non_null(strstr(said, what));
}

static void bad_values_are_refused_in_one_line(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "65536", "99999999999999999999", "host:80", "1.2.3.4:99999", "1.2.3:80",
        "-1",    "::0:0:0:0:0:0:0:0:0",  ":",       " 80",           "80 "};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(PARSE("-listen", wrong[i]), FLAGS_EXIT_USAGE);
        expect_one_line_that_names(wrong[i]);
    }
    assert_int_equal(PARSE("-listen", ""), FLAGS_EXIT_USAGE);
    assert_int_equal(PARSE("-data", ""), FLAGS_EXIT_USAGE);
    expect_one_line_that_names("-data");
}

static void unknown_and_incomplete_flags_are_refused_in_one_line(void **state)
{
    (void)state;
    static const char *const wrong[] = {"-port", "-liste", "listen", "", "-", "-verbose", "extra"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(PARSE(wrong[i]), FLAGS_EXIT_USAGE);
        expect_one_line_that_names(wrong[i]);
    }
    assert_int_equal(PARSE("-listen"), FLAGS_EXIT_USAGE);
    expect_one_line_that_names("-listen needs a value");
    assert_int_equal(PARSE("-sandbox=off"), FLAGS_RUN);
    assert_false(config.sandbox);
    assert_int_equal(PARSE("-sandbox", "on"), FLAGS_RUN);
    assert_true(config.sandbox);
    assert_int_equal(PARSE("-sandbox=maybe"), FLAGS_EXIT_USAGE);
    expect_one_line_that_names("maybe");
    assert_int_equal(PARSE("-v=false"), FLAGS_RUN);
    assert_false(config.verbose);
    assert_int_equal(PARSE("-v=yes"), FLAGS_EXIT_USAGE);
    expect_one_line_that_names("-v=yes");
}

static void uplinks_have_rates_and_names(void **state)
{
    (void)state;
    assert_int_equal(PARSE(), FLAGS_RUN);
    assert_int_equal(config.uplinks.relay_mbit, 1000);
    assert_int_equal(config.uplinks.source_mbit, 200);
    assert_true(config.uplinks.names.count == 0 && config.proxies.count == 0);
    assert_int_equal(PARSE("-url", "Backbone.example", "-url=b:1", "-relay-rate", "1", "-source-rate=100000",
                           "-trusted-proxy", "127.0.0.1", "-trusted-proxy", "2001:db8::/32"),
                     FLAGS_RUN);
    assert_int_equal(config.uplinks.names.count, 2);
    assert_string_equal(config.uplinks.names.list[0], "backbone.example");
    assert_true(config.uplinks.relay_mbit == 1 && config.uplinks.source_mbit == 100000);
    assert_int_equal(config.proxies.count, 2);
    static const char *const wrong[] = {"0", "100001", "", "1.5", "-1", "10x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(PARSE("-source-rate", wrong[i]), FLAGS_EXIT_USAGE);
        if (i == 0)
            continue;
        assert_int_equal(PARSE("-relay-rate", wrong[i]), FLAGS_EXIT_USAGE);
        expect_one_line_that_names("-relay-rate");
    }
    assert_int_equal(PARSE("-relay-rate", "0"), FLAGS_RUN); /* nothing is passed on */
    assert_int_equal(config.uplinks.relay_mbit, 0);
    assert_int_equal(config.relay_port, 0);
    assert_int_equal(PARSE("-relay-port", "3478"), FLAGS_RUN);
    assert_int_equal(config.relay_port, 3478);
    static const char *const no_port[] = {"0", "65536", "", "x"};
    for (size_t i = 0; i < sizeof(no_port) / sizeof(*no_port); i++) {
        assert_int_equal(PARSE("-relay-port", no_port[i]), FLAGS_EXIT_USAGE);
        expect_one_line_that_names("-relay-port");
    }
    assert_int_equal(PARSE("-url", "http://backbone.example"), FLAGS_EXIT_USAGE);
    expect_one_line_that_names("behind ://");
    assert_int_equal(PARSE("-trusted-proxy", "proxy.example"), FLAGS_EXIT_USAGE);
    expect_one_line_that_names("CIDR");
}

static void too_long_a_directory_is_refused(void **state)
{
    (void)state;
    static char dir[sizeof(config.data_dir) + 1];
    memset(dir, 'a', sizeof(dir) - 1);
    assert_int_equal(PARSE("-data", dir), FLAGS_EXIT_USAGE);
    expect_one_line_that_names("too long");
}

static void shared_store_is_a_url_without_a_password(void **state)
{
    (void)state;
    static const char here[] = "https://b1.example";
    assert_int_equal(PARSE("-store", "redis://backbones@redis.example/3", "-advertise", here), FLAGS_RUN);
    assert_string_equal(config.store.host, "redis.example");
    assert_string_equal(config.store.user, "backbones");
    assert_int_equal(config.store.port, 6379);
    assert_int_equal(config.store.database, 3);
    assert_string_equal(config.store.shown, "redis://redis.example:6379/3");
    assert_string_equal(config.advertise, here);
    assert_int_equal(PARSE("-store", "redis://[::1]:7000", "-advertise", "http://[::1]:80/"), FLAGS_RUN);
    assert_string_equal(config.store.host, "::1");
    assert_int_equal(config.store.port, 7000);
    assert_string_equal(config.advertise, "http://[::1]:80");
    assert_int_equal(PARSE("-store", "unix:///run/redis.sock", "-advertise", here), FLAGS_RUN);
    assert_string_equal(config.store.path, "/run/redis.sock");
    static const char *const wrong[] = {
        "redis://u:secret@h", "redis://",     "redis://h:0", "redis://h:99999", "redis://h/x",
        "redis://h/10000",    "unix://x",     "unix:///",    "http://h",        "h:6379",
        "redis://h o",        "redis://[::1", "sqlite"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(PARSE("-store", wrong[i], "-advertise", here), FLAGS_EXIT_USAGE);
        assert_null(strchr(strchr(said, '\n') + 1, '\n'));
    }
    assert_int_equal(PARSE("-store", "redis://u:secret@h", "-advertise", here), FLAGS_EXIT_USAGE);
    assert_non_null(strstr(said, "-store-password-file"));
    assert_null(strstr(said, "secret"));
    assert_int_equal(PARSE("-store", "rediss://u:secret@h:bad", "-advertise", here), FLAGS_EXIT_USAGE);
    assert_null(strstr(said, "secret"));
}

static void store_and_advertise_go_together(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-store", "redis://h"), FLAGS_EXIT_USAGE);
    assert_non_null(strstr(said, "-advertise URL"));
    assert_int_equal(PARSE("-advertise", "http://b1.example"), FLAGS_EXIT_USAGE);
    assert_non_null(strstr(said, "-store URL"));
    static const char *const wrong[] = {"b1.example", "ftp://b1.example", "http://",
                                        "https://b1.example/path", "http://a b"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(PARSE("-store", "redis://h", "-advertise", wrong[i]), FLAGS_EXIT_USAGE);
    assert_int_equal(
        PARSE("-store", "redis://h", "-url", "b2.example", "-advertise", "https://b1.example:444"),
        FLAGS_RUN);
    assert_int_equal(config.uplinks.names.count, 2);
    assert_string_equal(config.uplinks.names.list[1], "b1.example:444");
}

static void store_password_comes_from_a_private_file_or_the_environment(void **state)
{
    (void)state;
    char path[] = "/tmp/shadowmesh-password.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "s3cret word\nrest", 16), 16);
    assert_int_equal(PARSE("-store", "redis://h", "-advertise", "http://b", "-store-password-file", path),
                     FLAGS_RUN);
    assert_string_equal(config.store.password, "s3cret word");
    assert_null(strstr(config.store.shown, "s3cret"));
    fchmod(fd, 0640);
    assert_int_equal(PARSE("-store", "redis://h", "-advertise", "http://b", "-store-password-file", path),
                     FLAGS_EXIT_USAGE);
    assert_non_null(strstr(said, "chmod 600"));
    assert_int_equal(PARSE("-store-password-file", "/nonexistent"), FLAGS_EXIT_USAGE);
    close(fd);
    unlink(path);
    setenv(REDIS_PASSWORD_NAME, "of the environment", 1);
    assert_int_equal(PARSE("-store", "redis://h", "-advertise", "http://b"), FLAGS_RUN);
    assert_string_equal(config.store.password, "of the environment");
    assert_null(getenv(REDIS_PASSWORD_NAME));
}

static void every_flag_says_whether_a_running_server_takes_it(void **state)
{
    const struct flags *f = backbone_config_flags();
    (void)state;
    for (size_t i = 0; i < f->count; i++)
        if (f->rows[i].reload == FLAG_UNDECIDED ||
            (f->rows[i].field.size == 0 && strcmp(f->rows[i].name, "config") != 0))
            fail_msg("-%s: may a running server take it anew? and where does it lie?", f->rows[i].name);
}

static void on_said(void *context, const char *line)
{
    (void)context;
    snprintf(said, sizeof(said), "%s", line);
}

static void flags_are_the_same_when_they_are_read_again(void **state)
{
    static struct backbone_config again;
    char path[] = "/tmp/shadowmesh-password.XXXXXX";
    const struct flags_again how = {.source = &config.source, .say = on_said};
    (void)state;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "word\n", 5), 5);
    close(fd);
    assert_int_equal(PARSE("-store", "redis://me@h:1/2", "-advertise", "http://b", "-url", "c",
                           "-trusted-proxy", "10.0.0.0/8", "-store-password-file", path, "-listen",
                           "127.0.0.1:1", "-data", "d"),
                     FLAGS_RUN);
    unlink(path); /* and is not missed */
    assert_int_equal(backbone_config_parse_again(&how, &again), FLAGS_RUN);
    assert_int_equal(flags_differ(backbone_config_flags(), &config, &again), 0);
    assert_string_equal(again.store.password, "");
    config.source.argv[1] = (char *)(uintptr_t) "-stor";
    assert_int_equal(backbone_config_parse_again(&how, &again), FLAGS_EXIT_USAGE);
    assert_string_equal(said,
                        "unknown flag -stor: did you mean -store? `shadowmesh-backbone -help` lists them");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_documented_ones),
        cmocka_unit_test(every_flag_has_two_forms_and_takes_its_value_either_way),
        cmocka_unit_test(listen_takes_ports_and_addresses),
        cmocka_unit_test(bad_values_are_refused_in_one_line),
        cmocka_unit_test(unknown_and_incomplete_flags_are_refused_in_one_line),
        cmocka_unit_test(uplinks_have_rates_and_names),
        cmocka_unit_test(too_long_a_directory_is_refused),
        cmocka_unit_test(shared_store_is_a_url_without_a_password),
        cmocka_unit_test(store_and_advertise_go_together),
        cmocka_unit_test(store_password_comes_from_a_private_file_or_the_environment),
        cmocka_unit_test(every_flag_says_whether_a_running_server_takes_it),
        cmocka_unit_test(flags_are_the_same_when_they_are_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
