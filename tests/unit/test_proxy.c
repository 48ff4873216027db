/* SPDX-License-Identifier: Apache-2.0 */
/* Which proxy a backbone is reached by: flags, the environment, the file with name and password. */
#include "node/config/proxy.h"

#include "node/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKBONE "http://bb.example:8080"

static struct config config;
static struct proxy proxy;
static char wrong[PROXY_WRONG_MAX];
static char folder[] = "/tmp/test_proxy-XXXXXX";
static char file[64];
static const char *const *variables; /* name, value, name, value …, NULL */

static char *look(const char *name)
{
    for (const char *const *at = variables; at && *at; at += 2)
        if (strcmp(*at, name) == 0)
            return (char *)(uintptr_t)at[1];
    return NULL;
}

static bool choose(const char *const *list)
{
    variables = list;
    return proxy_choose(&config, config.backbones[0], look, &proxy, wrong);
}
#define choose_with(...) choose((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static int set_up(void **state)
{
    (void)state;
    config = (struct config){.backbone_count = 1, .backbones = {BACKBONE}};
    snprintf(file, sizeof(file), "%s/words", folder);
    unlink(file);
    return 0;
}

static void write_words(const char *text, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    strcpy(config.proxy_auth, file);
}

static void without_flags_and_variables_there_is_none(void **state)
{
    (void)state;
    assert_true(choose_with());
    assert_string_equal(proxy.url, "");
    assert_string_equal(proxy.shown, "");
    assert_string_equal(wrong, "");
}

static void flag_comes_before_the_environment_and_off_is_none(void **state)
{
    (void)state;
    strcpy(config.proxy, "http://flag:3128");
    assert_true(choose_with("http_proxy", "http://other:1", "no_proxy", "*"));
    assert_string_equal(proxy.url, "http://flag:3128");
    strcpy(config.proxy, CONFIG_PROXY_OFF);
    assert_true(choose_with("http_proxy", "http://other:1"));
    assert_string_equal(proxy.url, "");
}

static void variable_is_that_of_the_backbones_scheme(void **state)
{
    (void)state;
    assert_true(choose_with("https_proxy", "http://s:1"));
    assert_string_equal(proxy.url, "");
    assert_true(choose_with("https_proxy", "http://s:1", "http_proxy", "http://p:2"));
    assert_string_equal(proxy.url, "http://p:2");
    assert_true(choose_with("HTTP_PROXY", "http://header:2"));
    assert_string_equal(proxy.url, "");
    assert_true(choose_with("ALL_PROXY", "https://all:4"));
    assert_string_equal(proxy.url, "https://all:4");
    strcpy(config.backbones[0], "https://bb.example");
    assert_true(choose_with("HTTPS_PROXY", "S:1", "http_proxy", "http://p:2", "https_proxy", ""));
    assert_string_equal(proxy.url, "http://S:1");
    assert_true(choose_with("https_proxy", "https://s/"));
    assert_string_equal(proxy.url, "https://s:443");
    assert_true(choose_with("https_proxy", "http://[fd00::1]"));
    assert_string_equal(proxy.url, "http://[fd00::1]:1080");
}

static void name_and_password_of_a_variable_are_not_shown(void **state)
{
    (void)state;
    assert_true(choose_with("http_proxy", "http://user:p%40ss%3aword@p:2/"));
    assert_string_equal(proxy.url, "http://p:2");
    assert_string_equal(proxy.shown, "http://***@p:2");
    assert_string_equal(proxy.user, "user");
    assert_string_equal(proxy.password, "p@ss:word");
    proxy_forget_words(&proxy);
    assert_string_equal(proxy.user, "");
    assert_string_equal(proxy.password, "");
    assert_string_equal(proxy.shown, "http://***@p:2");
}

static void variable_that_cannot_be_used_is_none_and_told_without_what_is_in_it(void **state)
{
    static const char *const bad[] = {"socks5://user:secret@p:1", "http://secret:%zz@p:1",
                                      "http://user:a%00secret@p:1", "http://user:secret@:1",
                                      "http://user:secret@p:66000"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_true(choose_with("http_proxy", bad[i]));
        assert_string_equal(proxy.url, "");
        assert_string_equal(proxy.user, "");
        assert_string_equal(wrong,
                            "http_proxy in the environment is not used: it is no http:// or https:// proxy");
    }
}

static bool is_direct(const char *backbone, const char *no_proxy)
{
    strcpy(config.backbones[0], backbone);
    assert_true(choose_with("http_proxy", "http://p:2", "no_proxy", no_proxy));
    return !proxy.url[0];
}

static void hosts_of_no_proxy_are_reached_directly(void **state)
{
    (void)state;
    assert_true(is_direct(BACKBONE, "*"));
    assert_true(is_direct(BACKBONE, "other, .example"));
    assert_true(is_direct(BACKBONE, "EXAMPLE"));
    assert_true(is_direct(BACKBONE, "bb.example"));
    assert_false(is_direct(BACKBONE, "b.example,ample,x.bb.example,,"));
    assert_true(is_direct("http://192.0.2.9:8080", "192.0.2.9"));
    assert_true(is_direct("http://192.0.2.9:8080", "10.0.0.0/8,192.0.2.0/24"));
    assert_false(is_direct("http://192.0.2.9:8080", "192.0.2.0/29,192.0.2.0/33,192.0.2.0/x,/8"));
    assert_true(is_direct("http://[fd00::9]:8080", "fd00::/8"));
}

static void backbone_on_this_machine_is_reached_directly_but_by_the_flag(void **state)
{
    (void)state;
    assert_true(is_direct("http://127.0.0.1:8080", ""));
    assert_true(is_direct("http://[::1]:8080", ""));
    assert_true(is_direct("http://localhost:8080", ""));
    strcpy(config.proxy, "http://flag:3128");
    assert_false(is_direct("http://localhost:8080", ""));
}

static void words_come_from_a_file_that_is_ours_alone(void **state)
{
    (void)state;
    strcpy(config.proxy, "http://p:3128");
    write_words("us er:pass:word\nmore\n", 0600);
    assert_true(choose_with());
    assert_string_equal(proxy.user, "us er");
    assert_string_equal(proxy.password, "pass:word");
    assert_string_equal(proxy.shown, "http://***@p:3128");
    write_words("user:new", 0400);
    assert_true(choose_with());
    assert_string_equal(proxy.password, "new");
    config.proxy[0] = '\0';
    assert_true(choose_with("http_proxy", "http://old:old@p:1"));
    assert_string_equal(proxy.user, "user");
    assert_string_equal(proxy.password, "new");
}

static void assert_refused(const char *why)
{
    char line[PROXY_WRONG_MAX];
    assert_false(choose_with());
    snprintf(line, sizeof(line), "-proxy-auth %.120s: %s", config.proxy_auth, why);
    assert_string_equal(wrong, line);
}

static void file_that_cannot_be_used_ends_the_start(void **state)
{
    char longest[2 * WORDS_MAX];
    (void)state;
    strcpy(config.proxy, "http://p:3128");
    write_words("user:pass", 0640);
    assert_refused("others can read it: chmod 600");
    write_words("user", 0600);
    assert_refused("its first line is not USER:PASSWORD");
    write_words(":pass", 0600);
    assert_refused("its first line is not USER:PASSWORD");
    write_words("", 0600);
    assert_refused("its first line is not USER:PASSWORD");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    longest[1] = ':';
    write_words(longest, 0600);
    assert_refused("its first line is too long");
    strcpy(config.proxy_auth, folder);
    assert_refused("it is no file");
    strcpy(config.proxy_auth, "/nowhere");
    assert_refused("No such file or directory");
    strcpy(config.proxy, CONFIG_PROXY_OFF);
    assert_refused("there is no proxy that it is for");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(without_flags_and_variables_there_is_none),
        TEST(flag_comes_before_the_environment_and_off_is_none),
        TEST(variable_is_that_of_the_backbones_scheme),
        TEST(name_and_password_of_a_variable_are_not_shown),
        TEST(variable_that_cannot_be_used_is_none_and_told_without_what_is_in_it),
        TEST(hosts_of_no_proxy_are_reached_directly),
        TEST(backbone_on_this_machine_is_reached_directly_but_by_the_flag),
        TEST(words_come_from_a_file_that_is_ours_alone),
        TEST(file_that_cannot_be_used_ends_the_start),
    };
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
    unlink(file);
    rmdir(folder);
    return failed;
}
