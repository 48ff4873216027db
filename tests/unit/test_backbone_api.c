/* SPDX-License-Identifier: Apache-2.0 */
/* node/helper/backbone_api: what a node is told of a backbone's answers. */

#include "node/helper/backbone_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct helper_message told(enum helper_kind asked, long status, const char *body)
{
    static struct backbone_bytes bytes;
    struct helper_message out;
    const struct http_answer answer = {.status = status, .body = body, .len = strlen(body), .cause = ""};
    backbone_api_answer(asked, &answer, &out, &bytes);
    return out;
}

static void a_refusal_in_its_own_words_is_passed_on(void **state)
{
    (void)state;
    struct helper_message m = told(HELPER_ASK_RECORD, 404, "{\"error\":\"no such node\"}");
    assert_int_equal(m.verdict, BACKBONE_ABSENT);
    assert_string_equal(m.text, "no such node");
    m = told(HELPER_ASK_REGISTER, 409, "{\"error\":\"an older one\",\"seq\":7}");
    assert_int_equal(m.verdict, BACKBONE_REFUSED);
    assert_int_equal(m.number, 7);
}

/* A web server that is no backbone has pages for what it does not find, too. */
static void a_refusal_without_words_is_no_backbones(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"error\":\"\"}", "{\"error\":5}", "{\"error\":null}", "{}", "", "<html>"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct helper_message m = told(HELPER_ASK_RECORD, 404, bodies[i]);
        assert_int_equal(m.verdict, BACKBONE_UNREACHABLE);
        assert_string_equal(m.text, "HTTP status 404 is no answer of a backbone");
    }
}

static void a_backbone_that_fails_is_out_of_reach_whatever_it_says(void **state)
{
    (void)state;
    struct helper_message m = told(HELPER_ASK_RECORD, 503, "{\"error\":\"no room\"}");
    assert_int_equal(m.verdict, BACKBONE_UNREACHABLE);
    m = told(HELPER_ASK_INFO, 404, "{\"error\":\"no such path\"}");
    assert_int_equal(m.verdict, BACKBONE_UNREACHABLE);
    assert_string_equal(m.text, "there is no backbone at this URL");
}

static void place_where_a_node_is_linked_is_told_as_far_as_it_fits(void **state)
{
    char body[700], overlong[HELPER_TEXT_MAX + 1];
    (void)state;
    struct helper_message m =
        told(HELPER_ASK_RECORD, 200, "{\"record\":\"AAAA\",\"signature\":\"AAAA\",\"linked\":\"http://b2\"}");
    assert_int_equal(m.verdict, BACKBONE_OK);
    assert_string_equal(m.text, "http://b2");
    m = told(HELPER_ASK_RECORD, 200, "{\"record\":\"AAAA\",\"signature\":\"AAAA\",\"linked\":5}");
    assert_true(m.verdict == BACKBONE_OK && m.text[0] == '\0');
    memset(overlong, 'x', sizeof(overlong) - 1);
    overlong[sizeof(overlong) - 1] = '\0';
    snprintf(body, sizeof(body), "{\"record\":\"AAAA\",\"signature\":\"AAAA\",\"linked\":\"%s\"}", overlong);
    m = told(HELPER_ASK_RECORD, 200, body);
    assert_true(m.verdict == BACKBONE_OK && m.text[0] == '\0');
}

/* Of one behind a proxy. */
static void backbone_whose_address_is_not_known_has_no_stun(void **state)
{
    (void)state;
    struct helper_message m = told(HELPER_ASK_INFO, 200, "{\"instance\":\"i\",\"stun_port\":3478}");
    assert_int_equal(m.verdict, BACKBONE_OK);
    assert_string_equal(m.text, "i");
    assert_int_equal(m.address_count, 0);
}

static void instances_are_told_a_line_each(void **state)
{
    (void)state;
    static const char body[] =
        "{\"instance\":\"i\",\"backbones\":[\"http://b1\",7,\"\",\"two\\nlines\",\"http://b2\"]}";
    struct helper_message m = told(HELPER_ASK_INFO, 200, body);
    assert_int_equal(m.data.len, 20);
    assert_memory_equal(m.data.data, "http://b1\nhttp://b2\n", 20);
    assert_int_equal(told(HELPER_ASK_INFO, 200, "{\"backbones\":\"http://b1\"}").data.len, 0);
}

static void instances_beyond_the_sixteenth_are_not_told(void **state)
{
    (void)state;
    char body[8192] = "{\"backbones\":[\"http://b\"", url[300] = "";
    memset(url, 'u', HELPER_TEXT_MAX - 1);
    for (int i = 0; i < 20; i++)
        snprintf(body + strlen(body), sizeof(body) - strlen(body), ",\"%s\"", url);
    strcat(body, "]}");
    struct helper_message m = told(HELPER_ASK_INFO, 200, body);
    assert_int_equal(m.data.len, strlen("http://b\n") + 15 * HELPER_TEXT_MAX);
    url[HELPER_TEXT_MAX - 1] = 'u';
    snprintf(body, sizeof(body), "{\"backbones\":[\"%s\"]}", url);
    assert_int_equal(told(HELPER_ASK_INFO, 200, body).data.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_in_its_own_words_is_passed_on),
        cmocka_unit_test(a_refusal_without_words_is_no_backbones),
        cmocka_unit_test(a_backbone_that_fails_is_out_of_reach_whatever_it_says),
        cmocka_unit_test(place_where_a_node_is_linked_is_told_as_far_as_it_fits),
        cmocka_unit_test(backbone_whose_address_is_not_known_has_no_stun),
        cmocka_unit_test(instances_are_told_a_line_each),
        cmocka_unit_test(instances_beyond_the_sixteenth_are_not_told),
    };
    return cmocka_run_group_tests_name("backbone_api", tests, NULL, NULL);
}
