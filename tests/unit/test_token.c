/* SPDX-License-Identifier: Apache-2.0 */
/* Join tokens: one text for a value, and each way in which a line can be spoilt. */

#include "crypto/token.h"

#include "crypto/base64.h"
#include "crypto/kdf.h"
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct token_place at(const char *address)
{
    struct token_place p = {0};

    assert_int_equal(addr_parse(address, 0, &p.addr), 0);
    return p;
}

static struct token_place of(const char *url)
{
    struct token_place p = {0};

    snprintf(p.url, sizeof(p.url), "%s", url);
    return p;
}

static struct token sample(void)
{
    struct token t = {.place_count = 3, .name = "lab"};

    memset(t.network.bytes, 0xfb, ID_LEN); /* '-' and '_' in its text */
    memset(t.issuer.bytes, 0xff, ID_LEN);
    memset(t.seed, 0x5e, sizeof(t.seed));
    t.places[0] = of("https://backbone.example/");
    t.places[1] = at("192.0.2.1:655");
    t.places[2] = at("[2001:db8::1]:65535");
    return t;
}

static void assert_same(const struct token *a, const struct token *b)
{
    assert_int_equal(id_compare(&a->network, &b->network), 0);
    assert_int_equal(id_compare(&a->issuer, &b->issuer), 0);
    assert_memory_equal(a->seed, b->seed, sizeof(a->seed));
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->place_count, b->place_count);
    for (size_t i = 0; i < a->place_count; i++) {
        assert_true(addr_equal(&a->places[i].addr, &b->places[i].addr));
        assert_string_equal(a->places[i].url, b->places[i].url);
    }
}

static void assert_read_as_made(const struct token *t)
{
    char text[TOKEN_TEXT_MAX];
    struct token read;

    assert_int_equal(token_encode(t, text), 0);
    assert_int_equal(token_decode(text, strlen(text), &read), 0);
    assert_same(t, &read);
}

static void token_is_read_as_it_was_made(void **state)
{
    struct token t = sample();

    (void)state;
    for (size_t cut = 0; cut < 3; cut++) { /* each remainder of three */
        t.places[0].url[strlen(t.places[0].url) - 1] = '\0';
        assert_read_as_made(&t);
    }
}

static void token_is_one_word_of_a_shell(void **state)
{
    static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct token t = sample();
    char text[TOKEN_TEXT_MAX];

    (void)state;
    assert_int_equal(token_encode(&t, text), 0);
    assert_memory_equal(text, "sm1:", 4);
    assert_int_equal(strspn(text + 4, word), strlen(text + 4));
    assert_non_null(strchr(text, '-'));
    assert_non_null(strchr(text, '_'));
}

static void longest_token_has_room(void **state)
{
    struct token t = sample();

    (void)state;
    memset(t.name, 'n', CERT_LABEL_MAX - 1);
    t.place_count = TOKEN_PLACES_MAX;
    for (size_t i = 0; i < TOKEN_PLACES_MAX; i++) {
        memset(t.places[i].url, '~', TOKEN_URL_MAX - 1);
        t.places[i].addr = (struct addr){0};
    }
    assert_read_as_made(&t);
}

static void expect_no_text(const struct token *t)
{
    char text[TOKEN_TEXT_MAX] = "x";

    assert_int_equal(token_encode(t, text), ERR_ARGUMENT);
    assert_string_equal(text, "");
}

static void what_breaks_a_limit_has_no_text(void **state)
{
    struct token t = sample();

    (void)state;
    t.place_count = 0;
    expect_no_text(&t);
    t.place_count = TOKEN_PLACES_MAX + 1;
    expect_no_text(&t);
    t = sample();
    memset(t.places[0].url, 'a', TOKEN_URL_MAX); /* without an end */
    expect_no_text(&t);
    t.places[0] = of("");
    expect_no_text(&t);
    t.places[0] = of("https://a b/");
    expect_no_text(&t);
    t.places[0] = of("https://\x7f/");
    expect_no_text(&t);
    t = sample();
    t.places[1].addr.port = 0;
    expect_no_text(&t);
    t = sample();
    t.places[1].addr.scope = 1;
    expect_no_text(&t);
    t = sample();
    t.places[1].addr.family = 5;
    expect_no_text(&t);
    t = sample();
    t.places[1].url[0] = 'a';
    expect_no_text(&t);
}

static const struct token none;

static void expect_refusal(const char *text, size_t len, int err)
{
    char *copy = malloc(len ? len : 1); /* just as long, for the sanitizer */
    struct token read;

    memcpy(copy, text, len);
    assert_int_equal(token_decode(copy, len, &read), err);
    assert_memory_equal(&read, &none, sizeof(read));
    free(copy);
}

static void any_other_character_spoils_a_token(void **state)
{
    struct token t = sample(), read;
    char text[TOKEN_TEXT_MAX];
    size_t len;

    (void)state;
    assert_int_equal(token_encode(&t, text), 0);
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        char kept = text[i];
        for (int c = 1; c < 256; c++) {
            text[i] = (char)c;
            if (text[i] != kept && token_decode(text, len, &read) == 0)
                fail_msg("character %d at %zu", c, i);
        }
        text[i] = kept;
    }
}

static void cut_token_is_told_from_what_is_none(void **state)
{
    struct token t = sample();
    char text[TOKEN_TEXT_MAX + 1];
    size_t len;

    (void)state;
    assert_int_equal(token_encode(&t, text), 0);
    len = strlen(text);
    for (size_t cut = 0; cut < 4; cut++)
        expect_refusal(text, cut, ERR_FORMAT);
    for (size_t cut = 4; cut < len; cut++)
        expect_refusal(text, cut, (cut - 4) % 4 == 1 ? ERR_FORMAT : ERR_MISMATCH);
    expect_refusal("join", 4, ERR_FORMAT);
    expect_refusal("qm1:", 4, ERR_FORMAT);
    expect_refusal("sm1;", 4, ERR_FORMAT);
    text[len] = ' ';
    expect_refusal(text, len + 1, ERR_FORMAT);
    text[2] = '2';
    expect_refusal(text, len, ERR_UNSUPPORTED);
}

static void text_that_is_too_long_is_refused(void **state)
{
    static char text[TOKEN_TEXT_MAX + 4096];

    (void)state;
    memset(text, 'A', sizeof(text));
    memcpy(text, "sm1:", 4);
    expect_refusal(text, sizeof(text), ERR_FORMAT);
    for (size_t len = 2349; len <= TOKEN_TEXT_MAX; len++) /* about what the longest token has */
        expect_refusal(text, len, ERR_FORMAT);
}

/* Bytes with the right check, as somebody may write who read PROTOCOL. */
static void expect_bytes_refused(const uint8_t *bytes, size_t len)
{
    uint8_t whole[512], digest[KDF_LEN];
    struct slice part = {bytes, len};
    char text[1024] = "sm1:";

    assert_int_equal(kdf_hash(&part, 1, digest), 0);
    memcpy(whole, bytes, len);
    memcpy(whole + len, digest, 4);
    base64_encode(whole, len + 4, text + 4);
    for (char *c = text; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
    expect_refusal(text, strlen(text), ERR_FORMAT);
}

static void places_that_are_none_are_refused(void **state)
{
    uint8_t bytes[76 + 300] = {0};
    uint8_t *places = bytes + 76;
    static const uint8_t one_ipv4[] = {1, 1, 192, 0, 2, 1, 2, 143};

    (void)state;
    memcpy(bytes + 72, "\x03lab", 4);
    expect_bytes_refused(bytes, 76);     /* without a count */
    expect_bytes_refused(bytes, 76 + 1); /* without a place */
    memcpy(places, one_ipv4, sizeof(one_ipv4));
    expect_bytes_refused(bytes, 76 + sizeof(one_ipv4) - 1);
    expect_bytes_refused(bytes, 76 + sizeof(one_ipv4) + 1); /* more than it says */
    places[0] = 9;
    expect_bytes_refused(bytes, 76 + sizeof(one_ipv4));
    memcpy(places, "\x01\x04", 2); /* no such kind */
    expect_bytes_refused(bytes, 76 + sizeof(one_ipv4));
    memcpy(places, "\x01\x03\xc9", 3); /* 201 characters */
    memset(places + 3, 'a', 201);
    expect_bytes_refused(bytes, 76 + 3 + 201);
    memcpy(places, "\x01\x03\x02\x61", 5); /* a NUL inside */
    expect_bytes_refused(bytes, 76 + 5);
}

static void name_that_is_no_label_is_refused(void **state)
{
    static const char *const names[] = {"\x03LAB",
                                        "\x03-ab",
                                        "\x03"
                                        "a/b",
                                        "\x02..",
                                        "\x03"
                                        "a\0b",
                                        "\x00"};
    static const uint8_t one_ipv4[] = {1, 1, 192, 0, 2, 1, 2, 143};
    uint8_t bytes[512] = {0};

    (void)state;
    expect_bytes_refused(bytes, 0);
    expect_bytes_refused(bytes, 72); /* without a name */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = 1 + (size_t)names[i][0];
        memcpy(bytes + 72, names[i], len);
        memcpy(bytes + 72 + len, one_ipv4, sizeof(one_ipv4));
        expect_bytes_refused(bytes, 72 + len + sizeof(one_ipv4));
    }
    bytes[72] = 64; /* one too many */
    memset(bytes + 73, 'a', 64);
    memcpy(bytes + 73 + 64, one_ipv4, sizeof(one_ipv4));
    expect_bytes_refused(bytes, 73 + 64 + sizeof(one_ipv4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_is_read_as_it_was_made),
        cmocka_unit_test(token_is_one_word_of_a_shell),
        cmocka_unit_test(longest_token_has_room),
        cmocka_unit_test(what_breaks_a_limit_has_no_text),
        cmocka_unit_test(any_other_character_spoils_a_token),
        cmocka_unit_test(cut_token_is_told_from_what_is_none),
        cmocka_unit_test(text_that_is_too_long_is_refused),
        cmocka_unit_test(places_that_are_none_are_refused),
        cmocka_unit_test(name_that_is_no_label_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
