/* SPDX-License-Identifier: Apache-2.0 */
/* base/text: what is taken, and what becomes of the rest before a person sees it. */

#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define OK(text)  assert_true(text_ok(text, sizeof(text) - 1))
#define BAD(text) assert_false(text_ok(text, sizeof(text) - 1))

static void text_that_a_terminal_obeys_is_refused(void **state)
{
    (void)state;
    OK("");
    OK("site A, \xe2\x82\xac \xf0\x9f\x8c\x8d");
    BAD("\x1b[2J");
    BAD("a\0b");
    BAD("\x7f");
    BAD("\xc2\x9b\x32J"); /* C1 CSI */
}

static void malformed_utf8_is_refused(void **state)
{
    (void)state;
    BAD("\xc3");             /* truncated */
    BAD("\x80");             /* no lead byte */
    BAD("\xc0\xaf");         /* overlong */
    BAD("\xe0\x80\xaf");     /* overlong */
    BAD("\xf0\x80\x80\xaf"); /* overlong */
    BAD("\xed\xa0\x80");     /* surrogate */
    BAD("\xf4\x90\x80\x80"); /* above U+10FFFF */
    BAD("\xff");
    BAD("\xe2\x82"
        "a");
}

static size_t encode(uint32_t c, char out[4])
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

/* 'o': refused and replaced, 'u': only replaced, 'v': shown. */
static char judge(uint32_t code)
{
    char text[4];
    size_t n = encode(code, text);
    uint32_t back = 0;
    assert_int_equal(text_decode(text, n, &back), n);
    assert_int_equal(back, code);
    bool ok = text_ok(text, n);
    size_t len = text_clean(text, n);
    bool kept = len == n && (n > 1 || text[0] != '?');
    assert_true(kept || (len == 1 && text[0] == '?'));
    assert_true(ok || !kept);
    return kept ? 'v' : ok ? 'u' : 'o';
}

static void each_kind_of_character_is_judged(void **state)
{
    static const struct {
        uint32_t first, last;
        char verdict;
    } kinds[] = {
        {0x00, 0x1f, 'o'},                                                     /* C0 */
        {0x20, 0x3e, 'v'},       {0x40, 0x7e, 'v'},         {0x7f, 0x9f, 'o'}, /* DEL, C1 */
        {0xa0, 0xac, 'v'},       {0xad, 0xad, 'u'},                            /* soft hyphen */
        {0xae, 0x34e, 'v'},      {0x61c, 0x61c, 'o'},                          /* Arabic letter mark */
        {0x5d0, 0x5ea, 'v'},     {0x1160, 0x1160, 'u'},                        /* a filler */
        {0x200b, 0x200d, 'u'},                                                 /* zero width */
        {0x200e, 0x200f, 'o'},                                                 /* marks of direction */
        {0x2010, 0x2027, 'v'},   {0x2028, 0x2029, 'o'},                        /* separators */
        {0x202a, 0x202e, 'o'},                                                 /* embeddings, overrides */
        {0x2060, 0x2065, 'u'},   {0x2066, 0x2069, 'o'},                        /* isolates */
        {0x206a, 0x206f, 'u'},   {0x2070, 0x3163, 'v'},     {0x4e00, 0xd7ff, 'v'},
        {0xfe00, 0xfe0f, 'u'},                            /* variation selectors */
        {0xfeff, 0xfeff, 'u'},                            /* byte order mark */
        {0xfff9, 0xfffb, 'u'},                            /* interlinear annotation */
        {0xfffd, 0xfffd, 'v'},   {0x1d173, 0x1d17a, 'u'}, /* musical formatting */
        {0x1f300, 0x1f64f, 'v'},                          /* pictures */
        {0xe0001, 0xe007f, 'u'},                          /* tags */
        {0xe0100, 0xe01ef, 'u'}, {0x10ffff, 0x10ffff, 'v'},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        for (uint32_t c = kinds[i].first; c <= kinds[i].last; c++)
            assert_int_equal(judge(c), kinds[i].verdict);
}

static void clean_text_stays_and_the_rest_becomes_question_marks(void **state)
{
    static const struct {
        const char *text, *clean;
    } cases[] = {{"", ""},
                 {"K\xc3\xb6ln \xe6\x9d\xb1\xe4\xba\xac", "K\xc3\xb6ln \xe6\x9d\xb1\xe4\xba\xac"},
                 {"a\r\n2026 error owned", "a??2026 error owned"},
                 {"\xe2\x80\xae"
                  "fdp.exe",
                  "?fdp.exe"},
                 {"\xe2\x81\xa6"
                  "a\xe2\x80\xa8"
                  "b",
                  "?a?b"},
                 {"ab\xe2\x82", "ab??"},
                 {"\xff\xc3(", "?\?("}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = strdup(cases[i].text);
        text[text_clean(text, strlen(text))] = '\0';
        assert_string_equal(text, cases[i].clean);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_a_terminal_obeys_is_refused),
        cmocka_unit_test(malformed_utf8_is_refused),
        cmocka_unit_test(each_kind_of_character_is_judged),
        cmocka_unit_test(clean_text_stays_and_the_rest_becomes_question_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
