/* SPDX-License-Identifier: Apache-2.0 */
/* base/flags: the ways to write a flag, what is refused with which words, and the page of -help. */

#include "base/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct taken {
    bool quiet, other;
    char name[512], count[64], words[64];
};

static struct taken taken;
static uint64_t seen;
static char printed[8192]; /* on stdout or stderr */

static const char *read_quiet(void *context, const char *text)
{
    return flags_read_switch(text, &((struct taken *)context)->quiet);
}

static const char *read_other(void *context, const char *text)
{
    return flags_read_on_off(text, &((struct taken *)context)->other);
}

static const char *read_name(void *context, const char *text)
{
    snprintf(((struct taken *)context)->name, sizeof(taken.name), "%s", text);
    return strchr(text, '!') ? "a name has no \"!\"" : NULL;
}

static const char *read_count(void *context, const char *text)
{
    snprintf(((struct taken *)context)->count, sizeof(taken.count), "%s", text);
    return NULL;
}

static bool take_word(void *context, const char *text)
{
    char *words = ((struct taken *)context)->words;
    snprintf(words + strlen(words), sizeof(taken.words) - strlen(words), "[%s]", text);
    return true;
}

enum { ROW_HEADING, ROW_QUIET, ROW_NAME, ROW_COUNT, ROW_OTHER, ROW_HIDDEN };

static const struct flag rows[] = {
    [ROW_HEADING] = {NULL, NULL, "Of the test", NULL, 0},
    [ROW_QUIET] = {"quiet", NULL, "say less", read_quiet, 1},
    [ROW_NAME] = {"name", "TEXT", "what it is called, in so many words that they do not fit beside the flag",
                  read_name, 2, .reload = FLAG_RESTARTS, .field = FLAG_SPAN(struct taken, name, name)},
    [ROW_COUNT] = {"c", "N", "how often", read_count, 3, .reload = FLAG_RELOADS,
                   .field = FLAG_SPAN(struct taken, count, words)},
    [ROW_OTHER] = {"other", "on|off", "something else", read_other, 1},
    [ROW_HIDDEN] = {"test-secret", NULL, NULL, read_quiet, 3, .reload = FLAG_RESTARTS,
                    .field = FLAG_SPAN(struct taken, name, name)},
};

static struct flags flags = {
    .program = "prog", .head = "HEAD", .tail = "TAIL", .rows = rows, .count = sizeof(rows) / sizeof(*rows)};

/* Parses the words of a NULL-terminated list, with what it prints on the stream caught in printed. */
static enum flags_result parse_words(FILE *stream, const char *const *words)
{
    int argc = 0, fd = fileno(stream), pipe_fds[2];
    while (words[argc])
        argc++;
    taken = (struct taken){0};
    fflush(stream);
    int kept = dup(fd);
    assert_int_equal(pipe(pipe_fds), 0);
    assert_true(kept >= 0 && dup2(pipe_fds[1], fd) == fd);
    enum flags_result result = flags_parse(&flags, argc, (char **)words, &taken, &seen);
    fflush(stream);
    assert_int_equal(dup2(kept, fd), fd);
    close(kept);
    close(pipe_fds[1]);
    ssize_t len = read(pipe_fds[0], printed, sizeof(printed) - 1);
    close(pipe_fds[0]);
    assert_true(len >= 0);
    printed[len] = '\0';
    return result;
}

#define PARSE(...) parse_words(stderr, (const char *const[]){"prog", __VA_ARGS__, NULL})
#define SHOW(...)  parse_words(stdout, (const char *const[]){"prog", __VA_ARGS__, NULL})
#define REFUSED(text, ...)                                                                                   \
    do {                                                                                                     \
        assert_int_equal(PARSE(__VA_ARGS__), FLAGS_EXIT_USAGE);                                              \
        assert_string_equal(printed, "prog: " text "\n");                                                    \
    } while (0)

static void a_value_follows_or_stands_behind_an_equals_sign(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-name", "a"), FLAGS_RUN);
    assert_string_equal(taken.name, "a");
    assert_int_equal(PARSE("--name", "-b"), FLAGS_RUN);
    assert_string_equal(taken.name, "-b");
    assert_int_equal(PARSE("-name=c=d"), FLAGS_RUN);
    assert_string_equal(taken.name, "c=d");
    assert_int_equal(PARSE("--name="), FLAGS_RUN);
    assert_string_equal(taken.name, "");
    assert_int_equal(PARSE("-name", "a", "-name", "b"), FLAGS_RUN);
    assert_string_equal(taken.name, "b");
    assert_string_equal(printed, "");
}

static void a_digit_may_follow_a_flag_of_one_letter(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-c12"), FLAGS_RUN);
    assert_string_equal(taken.count, "12");
    assert_int_equal(PARSE("-c=3"), FLAGS_RUN);
    assert_string_equal(taken.count, "3");
    assert_int_equal(PARSE("-c", "4"), FLAGS_RUN);
    assert_string_equal(taken.count, "4");
    REFUSED("unknown flag -cx: did you mean -c? `prog -help` lists them", "-cx");
    REFUSED("unknown flag -d1: `prog -help` lists the flags", "-d1");
}

static void a_switch_stands_alone_or_takes_true_or_false(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-quiet"), FLAGS_RUN);
    assert_true(taken.quiet);
    assert_int_equal(PARSE("-quiet=true"), FLAGS_RUN);
    assert_true(taken.quiet);
    assert_int_equal(PARSE("-quiet", "--quiet=false"), FLAGS_RUN);
    assert_false(taken.quiet);
    REFUSED("-quiet=maybe: is a switch: give it alone, or with =true or =false", "-quiet=maybe");
    REFUSED("unexpected argument \"false\": flags begin with '-', `prog -help` lists them", "-quiet",
            "false");
}

static void on_and_off_are_spelled_out(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-other", "on"), FLAGS_RUN);
    assert_true(taken.other);
    assert_int_equal(PARSE("-other", "off"), FLAGS_RUN);
    assert_false(taken.other);
    REFUSED("-other ON: give on or off", "-other", "ON");
    REFUSED("-other needs a value: -other on|off", "-other");
}

static void flags_that_were_given_are_told(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-c1", "-quiet=false"), FLAGS_RUN);
    assert_int_equal(seen, 1u << ROW_COUNT | 1u << ROW_QUIET);
    assert_int_equal(parse_words(stderr, (const char *const[]){"prog", NULL}), FLAGS_RUN);
    assert_int_equal(seen, 0);
}

static void a_typing_error_is_answered_with_a_guess(void **state)
{
    (void)state;
    REFUSED("unknown flag -nmae: did you mean -name? `prog -help` lists them", "-nmae", "x");
    REFUSED("unknown flag -quite: did you mean -quiet? `prog -help` lists them", "--quite=true");
    REFUSED("unknown flag -elephant: `prog -help` lists the flags", "-elephant");
    REFUSED("unknown flag -test-secreT: `prog -help` lists the flags", "-test-secreT"); /* stays hidden */
    REFUSED("unknown flag -aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: `prog -help` lists the flags",
            "-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    REFUSED("unknown flag -: `prog -help` lists the flags", "--");
}

static void a_refused_value_is_repeated_cleaned_and_cut(void **state)
{
    (void)state;
    char value[401];
    memset(value, '!', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    REFUSED("-name a!: a name has no \"!\"", "-name", "a!");
    assert_int_equal(PARSE("-name", "\x1b[2J!"), FLAGS_EXIT_USAGE);
    assert_null(strchr(printed, '\x1b'));
    assert_int_equal(PARSE("-name", value), FLAGS_EXIT_USAGE);
    assert_non_null(strstr(printed, "!!!...: a name has no"));
    assert_true(strlen(printed) < sizeof(value));
}

static void words_go_to_a_program_that_takes_them(void **state)
{
    (void)state;
    REFUSED("unexpected argument \"x\": flags begin with '-', `prog -help` lists them", "x");
    flags.word = take_word;
    assert_int_equal(PARSE("x", "-c1", "-", "y"), FLAGS_RUN);
    assert_string_equal(taken.words, "[x][-][y]");
    flags.word = NULL;
}

static void help_lists_what_is_not_hidden(void **state)
{
    (void)state;
    assert_int_equal(SHOW("-c1", "--help", "-unknown"), FLAGS_EXIT_OK);
    assert_string_equal(printed,
                        "HEAD\n"
                        "\nOf the test:\n"
                        "  -quiet                    say less\n"
                        "  -name TEXT                what it is called, in so many words that they do\n"
                        "                            not fit beside the flag\n"
                        "  -c N                      how often\n"
                        "  -other on|off             something else\n"
                        "  -help                     print this page and exit\n"
                        "  -version                  print the version and exit\n"
                        "\nTAIL\n");
    assert_int_equal(SHOW("-h"), FLAGS_EXIT_OK);
    assert_int_equal(SHOW("-help=false"), FLAGS_RUN);
    assert_string_equal(printed, "");
    REFUSED("-help=yes: is a switch: give it alone, or with =true or =false", "-help=yes");
}

static void version_names_the_program(void **state)
{
    (void)state;
    assert_int_equal(SHOW("-version"), FLAGS_EXIT_OK);
    assert_string_equal(printed, "prog " SHADOWMESH_VERSION "\n");
    assert_int_equal(SHOW("-V"), FLAGS_EXIT_OK);
    assert_string_equal(printed, "prog " SHADOWMESH_VERSION "\n");
}

static void print_rows_of_the_second_user(const void *context)
{
    (void)context;
    flags_print_rows(&flags, 2);
}

static void a_verb_lists_its_own_flags(void **state)
{
    (void)state;
    flags.help = print_rows_of_the_second_user;
    assert_int_equal(SHOW("-help"), FLAGS_EXIT_OK);
    assert_non_null(strstr(printed, "-name TEXT"));
    assert_non_null(strstr(printed, "-c N"));
    assert_null(strstr(printed, "-quiet"));
    assert_null(strstr(printed, "-version"));
    flags.help = NULL;
}

static void on_said(void *context, const char *line)
{
    char *words = ((struct taken *)context)->words;
    snprintf(words, sizeof(taken.words), "%s", line);
}

static void what_is_wrong_goes_to_who_wants_to_say_it(void **state)
{
    (void)state;
    flags.say = on_said;
    assert_int_equal(PARSE("-quiet=\033"), FLAGS_EXIT_USAGE);
    assert_string_equal(taken.words, "-quiet=?: is a switch: give it alone, or with =true or =false");
    assert_int_equal(PARSE("-nane", "a"), FLAGS_EXIT_USAGE);
    assert_string_equal(taken.words, "unknown flag -nane: did you mean -name? `prog -help` lists them");
    assert_string_equal(printed, "");
    flags.say = NULL;
}

static void rows_differ_where_their_fields_do(void **state)
{
    struct taken a = {.name = "a", .count = "1"}, b = {.name = "a", .words = "2", .quiet = true};
    (void)state;
    assert_int_equal(flags_differ(&flags, &a, &a), 0);
    assert_int_equal(flags_differ(&flags, &a, &b), 1 << ROW_COUNT); /* quiet has no field */
    b.name[sizeof(b.name) - 1] = 'x';
    assert_int_equal(flags_differ(&flags, &a, &b), 1 << ROW_COUNT | 1 << ROW_NAME | 1 << ROW_HIDDEN);
}

static void what_a_running_program_takes_is_copied(void **state)
{
    struct taken a = {.name = "a", .count = "1"}, b = {.name = "b", .count = "2", .words = "3"};
    (void)state;
    flags_take(&flags, &a, &b);
    assert_string_equal(a.name, "a");
    assert_string_equal(a.count, "2");
    assert_string_equal(a.words, "3");
}

static void on_restart(void *context, const char *name)
{
    (void)take_word(context, name);
}

static void what_it_does_not_take_is_named_once(void **state)
{
    struct taken told = {0};
    (void)state;
    flags_restarts(&flags, UINT64_MAX, on_restart, &told);
    assert_string_equal(told.words, "[name]"); /* not the hidden one, of the same field, too */
    flags_restarts(&flags, 1 << ROW_COUNT, on_restart, &told);
    assert_string_equal(told.words, "[name]");
    flags_restarts(&flags, 1 << ROW_HIDDEN, on_restart, &told);
    assert_string_equal(told.words, "[name][test-secret]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_follows_or_stands_behind_an_equals_sign),
        cmocka_unit_test(a_digit_may_follow_a_flag_of_one_letter),
        cmocka_unit_test(a_switch_stands_alone_or_takes_true_or_false),
        cmocka_unit_test(on_and_off_are_spelled_out),
        cmocka_unit_test(flags_that_were_given_are_told),
        cmocka_unit_test(a_typing_error_is_answered_with_a_guess),
        cmocka_unit_test(a_refused_value_is_repeated_cleaned_and_cut),
        cmocka_unit_test(words_go_to_a_program_that_takes_them),
        cmocka_unit_test(help_lists_what_is_not_hidden),
        cmocka_unit_test(version_names_the_program),
        cmocka_unit_test(a_verb_lists_its_own_flags),
        cmocka_unit_test(what_is_wrong_goes_to_who_wants_to_say_it),
        cmocka_unit_test(rows_differ_where_their_fields_do),
        cmocka_unit_test(what_a_running_program_takes_is_copied),
        cmocka_unit_test(what_it_does_not_take_is_named_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
