/* SPDX-License-Identifier: Apache-2.0 */
/* Figures, names and tables as the command prints them. */
#include "cli/format.h"
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void bytes_have_three_digits_at_most(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {999, "999 B"},
                 {1000, "1.0 kB"},
                 {1234, "1.2 kB"},
                 {9949, "9.9 kB"},
                 {9950, "10 kB"},
                 {999499, "999 kB"},
                 {999500, "1.0 MB"},
                 {340000000, "340 MB"},
                 {1234567890, "1.2 GB"},
                 {UINT64_MAX, "18 EB"}};
    char out[FORMAT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(format_bytes(cases[i].bytes, out), cases[i].text);
}

static void counts_are_grouped(void **state)
{
    char out[FORMAT_MAX];
    (void)state;
    assert_string_equal(format_count(0, out), "0");
    assert_string_equal(format_count(999, out), "999");
    assert_string_equal(format_count(1000, out), "1 000");
    assert_string_equal(format_count(12345678, out), "12 345 678");
    assert_string_equal(format_count(UINT64_MAX, out), "18 446 744 073 709 551 615");
}

static void round_trips_keep_the_digits_that_matter(void **state)
{
    static const struct {
        double us;
        const char *text;
    } cases[] = {{0, "0.00 ms"},     {41, "0.04 ms"},     {94, "0.09 ms"}, {95, "0.1 ms"},
                 {412, "0.4 ms"},    {9949, "9.9 ms"},    {9950, "10 ms"}, {12000, "12 ms"},
                 {999499, "999 ms"}, {1200000, "1.20 s"}, {-1, "-"},       {NAN, "-"}};
    char out[FORMAT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(format_rtt(cases[i].us, out), cases[i].text);
}

static void ages_name_two_units(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0 s"},
                 {59.9, "59 s"},
                 {60, "1 min 00 s"},
                 {134, "2 min 14 s"},
                 {3600, "1 h 00 min"},
                 {7505, "2 h 05 min"},
                 {172799, "47 h 59 min"},
                 {172800, "2 d 0 h"},
                 {1051200, "12 d 4 h"},
                 {-1, "-"},
                 {NAN, "-"},
                 {1e300, "-"}};
    char out[FORMAT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(format_age(cases[i].seconds, out), cases[i].text);
}

static void shares_are_per_cent(void **state)
{
    char out[FORMAT_MAX];
    (void)state;
    assert_string_equal(format_share(0, out), "0.0 %");
    assert_string_equal(format_share(0.125, out), "12.5 %");
    assert_string_equal(format_share(1, out), "100.0 %");
    assert_string_equal(format_share(-1, out), "-");
    assert_string_equal(format_share(NAN, out), "-");
}

static void cleaning_leaves_text_and_takes_what_a_terminal_obeys(void **state)
{
    static const struct {
        const char *text, *clean;
    } cases[] = {{"site-b", "site-b"},
                 {"Köln 東京 🜁", "Köln 東京 🜁"},
                 {"a\033[31mb", "a?[31mb"},
                 {"a\nb\tc\x7f", "a?b?c?"},
                 {"\xc2\x9b"
                  "31m",
                  "?31m"}, /* CSI as C1 */
                 {"a\xe2\x80\xae"
                  "b",
                  "a?b"}, /* right-to-left override */
                 {"a\xe2\x80\x8b"
                  "b",
                  "a?b"},                      /* zero width */
                 {"\xff\xc3(", "?\?("},        /* no UTF-8 */
                 {"\xc0\x80", "??"},           /* overlong */
                 {"\xed\xa0\x80", "???"},      /* a surrogate */
                 {"\xf4\x90\x80\x80", "????"}, /* past U+10FFFF */
                 {"\xe2\x82", "??"},           /* cut short */
                 {NULL, ""}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *clean = format_clean(cases[i].text);
        assert_string_equal(clean, cases[i].clean);
        free(clean);
    }
}

static void width_counts_columns(void **state)
{
    (void)state;
    assert_int_equal(format_width(""), 0);
    assert_int_equal(format_width("site"), 4);
    assert_int_equal(format_width("Köln"), 4);
    assert_int_equal(format_width("東京"), 4);
}

static char *render_in(const struct table *t, const struct table_style *style)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    table_print(t, out, style);
    fclose(out);
    return text;
}

static char *render(const struct table *t, unsigned indent, bool heading, bool colour)
{
    return render_in(t, &(struct table_style){.indent = indent, .heading = heading, .colour = colour});
}

static void columns_are_aligned_and_lines_end_without_blanks(void **state)
{
    struct table *t = table_new("lrl");
    (void)state;
    table_add(t, (const char *const[]){"NAME", "RTT", "NOTE"});
    table_add(t, (const char *const[]){"Köln", "1 ms", ""});
    table_add(t, (const char *const[]){"東京-long", "12 ms", "x"});
    char *text = render(t, 2, true, false);
    assert_string_equal(text, "  NAME         RTT  NOTE\n"
                              "  Köln        1 ms\n"
                              "  東京-long  12 ms  x\n");
    free(text);
    table_free(t);
}

static void columns_that_say_nothing_are_left_out(void **state)
{
    struct table *t = table_new("lll");
    (void)state;
    table_add(t, (const char *const[]){"A", "B", "C"});
    table_add(t, (const char *const[]){"1", "", "3"});
    char *text = render(t, 0, true, true);
    assert_string_equal(text, "\033[2mA  C\033[0m\n1  3\n");
    free(text);
    table_free(t);
}

static void a_note_is_a_line_of_its_own_and_moves_no_column(void **state)
{
    struct table *t = table_new("ll");
    (void)state;
    table_add(t, (const char *const[]){"a", "b"});
    table_add_note(t, "an error that is much longer than\033 any cell");
    table_add_note(t, "");
    table_add(t, (const char *const[]){"c", "d"});
    char *text = render(t, 2, false, false);
    assert_string_equal(text, "  a  b\n      an error that is much longer than? any cell\n  c  d\n");
    free(text);
    text = render_in(t, &(struct table_style){.indent = 2, .width = 30});
    assert_string_equal(text, "  a  b\n      an error that is much\n      longer than? any cell\n  c  d\n");
    free(text);
    table_free(t);
}

static void columns_beyond_the_terminal_go_on_in_the_next_line(void **state)
{
    struct table *t = table_new("llrr");
    (void)state;
    table_add(t, (const char *const[]){"NAME", "PATH", "RTT", "LOSS"});
    table_add(t, (const char *const[]){"site-a", "direct 192.0.2.1:9443", "12 ms", "0.1 %"});
    table_add(t, (const char *const[]){"site-b", "backoff", "", ""});
    char *text = render_in(t, &(struct table_style){.width = 40, .heading = true, .colour = true});
    assert_string_equal(text, "\033[2mNAME    PATH                     RTT\033[0m\n\033[2m     LOSS\033[0m\n"
                              "site-a  direct 192.0.2.1:9443  12 ms\n    0.1 %\n"
                              "site-b  backoff\n");
    free(text);
    text = render_in(t, &(struct table_style){.width = 43, .heading = true});
    assert_string_equal(text, "NAME    PATH                     RTT   LOSS\n"
                              "site-a  direct 192.0.2.1:9443  12 ms  0.1 %\n"
                              "site-b  backoff\n");
    free(text);
    table_free(t);
}

static void last_text_is_wrapped_at_its_words_where_it_stands(void **state)
{
    struct table *t = table_new("ll");
    (void)state;
    table_add(t, (const char *const[]){
                     "drops", "replay 3, no_peer 17, Köln 5, far-too-long-for-any-line-of-40-columns"});
    char *text = render_in(t, &(struct table_style){.indent = 2, .width = 40});
    assert_string_equal(text, "  drops  replay 3, no_peer 17, Köln 5,\n"
                              "         far-too-long-for-any-line-of-40-columns\n");
    free(text);
    table_free(t);
}

static void cells_are_cleaned(void **state)
{
    struct table *t = table_new("l");
    (void)state;
    for (int i = 0; i < 40; i++) /* past its first allocation */
        table_add(t, (const char *const[]){i % 2 ? NULL : "a\033b"});
    char *text = render(t, 0, false, false);
    assert_null(strchr(text, '\033'));
    assert_int_equal(strncmp(text, "a?b\n\na?b\n", 9), 0);
    free(text);
    table_free(t);
}

static int set_locale(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_three_digits_at_most),
        cmocka_unit_test(counts_are_grouped),
        cmocka_unit_test(round_trips_keep_the_digits_that_matter),
        cmocka_unit_test(ages_name_two_units),
        cmocka_unit_test(shares_are_per_cent),
        cmocka_unit_test(cleaning_leaves_text_and_takes_what_a_terminal_obeys),
        cmocka_unit_test(width_counts_columns),
        cmocka_unit_test(columns_are_aligned_and_lines_end_without_blanks),
        cmocka_unit_test(columns_that_say_nothing_are_left_out),
        cmocka_unit_test(a_note_is_a_line_of_its_own_and_moves_no_column),
        cmocka_unit_test(columns_beyond_the_terminal_go_on_in_the_next_line),
        cmocka_unit_test(last_text_is_wrapped_at_its_words_where_it_stands),
        cmocka_unit_test(cells_are_cleaned),
    };
    return cmocka_run_group_tests(tests, set_locale, NULL);
}
