/* SPDX-License-Identifier: Apache-2.0 */
/* base/flags_file: what a line may look like, which file is read at all, and the words for what is wrong. */

#include "base/flags_file.h"

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

#define FILE_NAME "node.conf"

static struct taken {
    bool quiet;
    char names[512];
} taken;

static const char *read_quiet(void *context, const char *text)
{
    return flags_read_switch(text, &((struct taken *)context)->quiet);
}

static const char *read_name(void *context, const char *text)
{
    char *names = ((struct taken *)context)->names;
    snprintf(names + strlen(names), sizeof(taken.names) - strlen(names), "[%s]", text);
    return strchr(text, '!') ? "a name has no \"!\"" : NULL;
}

static const char *read_config(void *context, const char *text);

static const struct flag rows[] = {
    {NULL, NULL, "Of the test", NULL, 0},
    {"quiet", NULL, "say less", read_quiet, 0},
    {"name", "TEXT", "what it is called", read_name, 0},
    {"config", "FILE", "more flags", read_config, 0},
};
static const struct flags flags = {.program = "prog", .rows = rows, .count = sizeof(rows) / sizeof(*rows)};

static const char *read_config(void *context, const char *text)
{
    return flags_file_read(&flags, text, context);
}

static void write_bytes(const char *bytes, size_t len)
{
    int fd = open(FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

static const char *read_text(const char *text)
{
    taken = (struct taken){0};
    write_bytes(text, strlen(text));
    return flags_file_read(&flags, FILE_NAME, &taken);
}

#define TAKEN(text) assert_null(read_text(text))
#define REFUSED(words, text)                                                                                 \
    do {                                                                                                     \
        const char *said = read_text(text);                                                                  \
        assert_non_null(said);                                                                               \
        assert_string_equal(said, words);                                                                    \
    } while (0)

static void a_line_is_a_name_and_a_value(void **state)
{
    (void)state;
    TAKEN("name = a\nname=b c\n\tname :  d  \r\nquiet = true");
    assert_string_equal(taken.names, "[a][b c][d]");
    assert_true(taken.quiet);
    TAKEN("");
    TAKEN("quiet = true\nquiet = false\n");
    assert_false(taken.quiet);
}

static void comments_and_blank_lines_say_nothing(void **state)
{
    (void)state;
    TAKEN("# name = a\n\n   ; quiet = true\nname = b # c\nname = d;e ; f\nname = g#h\n  \t\n");
    assert_string_equal(taken.names, "[b][d;e][g#h]");
    assert_false(taken.quiet);
}

static void an_indented_line_is_one_of_its_own(void **state)
{
    (void)state;
    TAKEN("name = a\n    name = b\n    quiet = true\n");
    assert_string_equal(taken.names, "[a][b]");
    assert_true(taken.quiet);
    TAKEN("name = a\n\vname = b\n \f name = c\n");
    assert_string_equal(taken.names, "[a][b][c]");
}

static void a_wrong_line_is_named_with_its_remedy(void **state)
{
    (void)state;
    REFUSED("line 3: name = a!: a name has no \"!\"", "# one\n\nname = a!\nname = b\n");
    assert_string_equal(taken.names, "[a!]"); /* what stands behind it is not read */
    REFUSED("line 2: unknown flag nane: did you mean name?", "name = a\nnane = b\n");
    REFUSED("line 1: unknown flag something: `prog -help` lists them", "something = b\nname = c!\n");
    REFUSED("line 1: this is no \"name = value\"; a switch is \"name = true\"", "quiet\nname = a\n");
    REFUSED("line 1: quiet = : is a switch: give it alone, or with =true or =false", "quiet =\n");
    REFUSED("line 2: there are no sections: take [...] away", "name = a\n[node]\n");
    REFUSED("line 1: config = node.conf: a file names no further file", "config = node.conf\n");
}

static void a_line_has_its_bound(void **state)
{
    char text[FLAGS_FILE_LINE_MAX + 8];
    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "name = ", 7);
    text[FLAGS_FILE_LINE_MAX - 1] = '\n';
    text[FLAGS_FILE_LINE_MAX] = '\0';
    TAKEN(text);
    assert_int_equal(strlen(taken.names), FLAGS_FILE_LINE_MAX - 1 - 7 + 2);
    text[FLAGS_FILE_LINE_MAX - 1] = 'a';
    text[FLAGS_FILE_LINE_MAX] = '\n';
    text[FLAGS_FILE_LINE_MAX + 1] = '\0';
    REFUSED("line 1: longer than 198 bytes: shorten it, or give this flag on the command line", text);
}

static void lines_have_their_bound(void **state)
{
    static char text[FLAGS_FILE_LINES_MAX + 2];
    (void)state;
    memset(text, '\n', FLAGS_FILE_LINES_MAX);
    TAKEN(text);
    text[FLAGS_FILE_LINES_MAX] = '\n';
    REFUSED("line 10001: one too many: this is no configuration", text);
}

static void a_zero_byte_is_no_text(void **state)
{
    (void)state;
    write_bytes("name = a\0b\n", 11);
    assert_string_equal(flags_file_read(&flags, FILE_NAME, &taken), "line 1: a zero byte: this is no text");
}

static void only_a_file_that_nobody_else_writes_is_read(void **state)
{
    (void)state;
    TAKEN("name = a\n");
    assert_return_code(chmod(FILE_NAME, 0644), 0);
    assert_null(flags_file_read(&flags, FILE_NAME, &taken));
    assert_return_code(chmod(FILE_NAME, 0620), 0);
    assert_string_equal(flags_file_read(&flags, FILE_NAME, &taken), "others can write it: chmod go-w");
    assert_return_code(chmod(FILE_NAME, 0602), 0);
    assert_string_equal(flags_file_read(&flags, FILE_NAME, &taken), "others can write it: chmod go-w");
    assert_return_code(chmod(FILE_NAME, 0600), 0);
    assert_string_equal(flags_file_read(&flags, "none", &taken), "No such file or directory");
    assert_string_equal(flags_file_read(&flags, ".", &taken), "it is no file");
    assert_string_equal(flags_file_read(&flags, "/dev/zero", &taken), "it is no file");
}

static int enter_folder(void **state)
{
    static char folder[] = "/tmp/test_flags_file.XXXXXX";
    *state = mkdtemp(folder);
    return *state ? chdir(folder) : -1;
}

static int leave_folder(void **state)
{
    (void)unlink(FILE_NAME);
    return chdir("/") || rmdir(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_name_and_a_value),
        cmocka_unit_test(comments_and_blank_lines_say_nothing),
        cmocka_unit_test(an_indented_line_is_one_of_its_own),
        cmocka_unit_test(a_wrong_line_is_named_with_its_remedy),
        cmocka_unit_test(a_line_has_its_bound),
        cmocka_unit_test(lines_have_their_bound),
        cmocka_unit_test(a_zero_byte_is_no_text),
        cmocka_unit_test(only_a_file_that_nobody_else_writes_is_read),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
