/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP API without HTTP: paths, methods, rates, pages,
 * and what a failing store looks like from outside. */

#include "backbone/routes.h"

#include "backbone/store_sqlite.h"
#include "backbone_entry.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define NOW_S     1800000000ull
#define MINUTE_US 60000000ull

static struct store *store;
static struct directory *directory;
static struct metrics metrics;
static struct routes *routes;
static uint64_t now_us = 1000 * MINUTE_US; /* never steps back */

static int setup(void **state)
{
    (void)state;
    memset(&metrics, 0, sizeof(metrics));
    int err = store_sqlite_open(":memory:", 1000, &store) || directory_new(store, &directory);
    const struct routes_config config = {.directory = directory, .metrics = &metrics, .stun_port = 8080};
    return err || routes_new(&config, &routes);
}

static void note_done(void *context)
{
    *(bool *)context = true;
}

/* Both halves, over a store that answers at once. */
static void answer(const struct request *request, struct response *out)
{
    bool done = false;
    struct order o = {.request = *request, .done = note_done, .context = &done};
    if (!routes_answer(routes, &o)) {
        routes_ask(&o);
        assert_true(done);
    }
    *out = o.answer;
}

static int teardown(void **state)
{
    (void)state;
    routes_free(routes);
    directory_free(directory);
    return 0;
}

static struct request request_of(const char *method, const char *path)
{
    return (struct request){.method = method,
                            .path = path,
                            .from = {.family = 4, .port = 4000, .ip = {192, 0, 2, 1}},
                            .now_us = now_us,
                            .now_s = NOW_S};
}

/* The caller releases the JSON. */
static json_t *ask(const struct request *request, unsigned status)
{
    struct response out;
    answer(request, &out);
    assert_int_equal(out.status, status);
    assert_non_null(out.body);
    assert_int_equal(out.len, strlen(out.body));
    assert_string_equal(out.type, "application/json");
    assert_true((status == 405) == (out.allow != NULL));
    json_t *json = json_loads(out.body, 0, NULL);
    assert_true(json_is_object(json));
    assert_true((status >= 400) == json_is_string(json_object_get(json, "error")));
    free(out.body);
    return json;
}

static void expect_status(const char *method, const char *path, unsigned status)
{
    now_us += MINUTE_US; /* rates are not what this asks about */
    struct request request = request_of(method, path);
    json_decref(ask(&request, status));
}

static void health_and_info_say_what_is_promised(void **state)
{
    (void)state;
    struct request health = request_of("GET", "/health"), info = request_of("GET", "/v1/info");
    json_t *json = ask(&health, 200);
    assert_string_equal(json_string_value(json_object_get(json, "status")), "ok");
    json_decref(json);
    json = ask(&info, 200);
    assert_string_equal(json_string_value(json_object_get(json, "name")), "shadowmesh-backbone");
    assert_string_equal(json_string_value(json_object_get(json, "version")), SHADOWMESH_VERSION);
    assert_int_equal(json_integer_value(json_object_get(json, "api")), 1);
    assert_int_equal(json_integer_value(json_object_get(json, "stun_port")), 8080);
    assert_int_equal(json_integer_value(json_object_get(json, "nodes")), 0);
    const char *instance = json_string_value(json_object_get(json, "instance"));
    assert_true(strlen(instance) >= 16 && strspn(instance, "0123456789abcdef") == strlen(instance));
    json_decref(json);
}

static void challenge_is_64_hex_digits(void **state)
{
    (void)state;
    struct request request = request_of("GET", "/v1/challenge");
    json_t *json = ask(&request, 200);
    const char *text = json_string_value(json_object_get(json, "challenge"));
    assert_int_equal(strlen(text), 64);
    assert_int_equal(strspn(text, "0123456789abcdef"), 64);
    assert_int_equal(json_integer_value(json_object_get(json, "expires_s")), 60);
    json_decref(json);
}

static void unknown_paths_are_404(void **state)
{
    (void)state;
    static const char *const paths[] = {"/",
                                        "",
                                        "*",
                                        "/health/",
                                        "/Health",
                                        "/v1",
                                        "/v1/nodes/a/b",
                                        "/v1/nodes/0123456789012345678901234567890123456789/",
                                        "/v1/networks",
                                        "/v1/networks/",
                                        "/v1/networks/x",
                                        "/v1/networks/x/",
                                        "/v1/networks/x/nodes/",
                                        "/v1/networks/x/y/nodes",
                                        "/v2/info"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        expect_status("GET", paths[i], 404);
}

static void wrong_methods_are_405_and_say_what_is_right(void **state)
{
    (void)state;
    static const char *const cases[][3] = {{"POST", "/health", "GET, HEAD"},
                                           {"DELETE", "/v1/nodes", "GET, HEAD, POST"},
                                           {"PUT", "/v1/nodes/x", "GET, HEAD"},
                                           {"get", "/health", "GET, HEAD"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct request request = request_of(cases[i][0], cases[i][1]);
        struct response out;
        answer(&request, &out);
        assert_int_equal(out.status, 405);
        assert_string_equal(out.allow, cases[i][2]);
        free(out.body);
    }
}

static void head_is_answered_like_get(void **state)
{
    (void)state;
    expect_status("HEAD", "/health", 200);
    expect_status("HEAD", "/v1/nodes", 200);
}

static void bad_ids_are_400_and_unknown_ones_404(void **state)
{
    (void)state;
    expect_status("GET", "/v1/nodes/", 400);
    expect_status("GET", "/v1/nodes/123", 400);
    expect_status("GET", "/v1/nodes/zz23456789012345678901234567890123456789", 400);
    expect_status("GET", "/v1/nodes/0123456789012345678901234567890123456789", 404);
    expect_status("GET", "/v1/networks//nodes", 400);
    expect_status("GET", "/v1/networks/01234567890123456789012345678901234567890/nodes", 400);
    expect_status("GET", "/v1/networks/unknown/nodes", 200);
}

static void note_put(void *context, int err, uint64_t number)
{
    (void)context, (void)number;
    assert_int_equal(err, 0);
}

static void put_one(unsigned number, const char *network, size_t record_len)
{
    static uint8_t record[RECORD_MAX];
    struct test_entry t;
    test_entry_init(&t, number, 3, NOW_S + 100);
    t.entry.is_public = true;
    strcpy(t.entry.network, network);
    t.entry.record = (struct slice){record, record_len};
    store_put(store, &t.entry, NOW_S, note_put, NULL);
}

static void stored_node_is_handed_out_in_base64(void **state)
{
    (void)state;
    struct request request = request_of("GET", "/v1/nodes/0007000000000000000000000000000000000000");
    put_one(7, "", 3);
    json_t *json = ask(&request, 200);
    assert_string_equal(json_string_value(json_object_get(json, "record")), "AAAA");
    assert_string_equal(json_string_value(json_object_get(json, "signature")),
                        "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=");
    json_decref(json);
    request.now_s = NOW_S + 100;
    json_decref(ask(&request, 404));
}

/* Walks a listing to its end and returns the number of nodes; *pages counts requests. */
static unsigned walk(const char *path, const char *limit, unsigned *pages, size_t *largest)
{
    struct request request = request_of("GET", path);
    char after[ID_TEXT_MAX];
    unsigned count = 0;
    request.limit = limit;
    for (*pages = 0, *largest = 0;; ++*pages) {
        struct response out;
        request.now_us = now_us += MINUTE_US;
        answer(&request, &out);
        assert_int_equal(out.status, 200);
        json_t *json = json_loads(out.body, 0, NULL);
        count += (unsigned)json_array_size(json_object_get(json, "nodes"));
        *largest = out.len > *largest ? out.len : *largest;
        free(out.body);
        const char *next = json_string_value(json_object_get(json, "next"));
        snprintf(after, sizeof(after), "%s", next ? next : "");
        json_decref(json);
        if (!next)
            return count;
        request.after = after;
    }
}

static void pages_end_with_the_last_node(void **state)
{
    (void)state;
    unsigned pages;
    size_t largest;
    for (unsigned n = 1; n <= 250; n++)
        put_one(n, "", 10);
    assert_int_equal(walk("/v1/nodes", NULL, &pages, &largest), 250);
    assert_int_equal(pages, 2);
    assert_int_equal(walk("/v1/nodes", "50", &pages, &largest), 250);
    assert_int_equal(pages, 4);
}

static void pages_of_large_records_are_bounded_in_bytes(void **state)
{
    (void)state;
    unsigned pages;
    size_t largest;
    for (unsigned n = 1; n <= 120; n++)
        put_one(n, "blue", RECORD_MAX);
    assert_int_equal(walk("/v1/networks/blue/nodes", NULL, &pages, &largest), 120);
    assert_in_range(largest, 200000, 280000);
}

static void bad_page_arguments_are_400(void **state)
{
    (void)state;
    static const char *const limits[] = {"", "0", "101", "-1", "1e1", "0000000001", " 5"};
    struct request request = request_of("GET", "/v1/nodes");
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        request.limit = limits[i];
        request.now_us += MINUTE_US;
        json_decref(ask(&request, 400));
    }
    request.limit = NULL;
    request.after = "xyz";
    json_decref(ask(&request, 400));
}

static void lookups_over_the_rate_are_429_with_retry_after(void **state)
{
    (void)state;
    struct request request = request_of("GET", "/v1/nodes/0123456789012345678901234567890123456789");
    struct response out;
    for (int i = 0; i < 100; i++)
        json_decref(ask(&request, 404));
    answer(&request, &out);
    assert_int_equal(out.status, 429);
    assert_int_equal(out.retry_after_s, 1);
    free(out.body);
    request.path = "/health";
    json_decref(ask(&request, 200));
    request.path = "/nowhere";
    json_decref(ask(&request, 429));
    request.now_us += 20000;
    json_decref(ask(&request, 404));
}

static void page_of_a_listing_costs_ten_lookups(void **state)
{
    (void)state;
    struct request request = request_of("GET", "/v1/nodes");
    for (int i = 0; i < 10; i++)
        json_decref(ask(&request, 200));
    json_decref(ask(&request, 429));
    request.now_us += 10 * 20000 - 1;
    json_decref(ask(&request, 429));
    request.now_us += 1;
    json_decref(ask(&request, 200));
}

static void registrations_have_a_rate_of_their_own(void **state)
{
    (void)state;
    struct request request = request_of("POST", "/v1/nodes");
    request.body = (struct slice){(const uint8_t *)"{}", 2};
    for (int i = 0; i < 60; i++)
        json_decref(ask(&request, 400));
    json_decref(ask(&request, 429));
    request.now_us += 1000000;
    json_decref(ask(&request, 400));
    struct request other = request_of("GET", "/v1/info");
    json_decref(ask(&other, 200));
}

#define SIGNATURE_GROUPS 1542 /* of three bytes; one byte is over */

static void registration_that_is_refused_does_not_count(void **state)
{
    char signature[SIGNATURE_GROUPS * 4 + 1], body[sizeof(signature) + 64];
    (void)state;
    memset(signature, 'A', sizeof(signature) - 1);
    signature[sizeof(signature) - 1] = '\0';
    snprintf(body, sizeof(body), "{\"record\":\"AAAA\",\"signature\":\"%sAA==\"}", signature);
    struct request request = request_of("POST", "/v1/nodes");
    request.body = (struct slice){(const uint8_t *)body, strlen(body)};
    json_t *answer = ask(&request, 400);
    assert_null(strstr(json_string_value(json_object_get(answer, "error")), "Base64"));
    json_decref(answer);
    assert_int_equal(metrics.registrations, 0);
}

static void get_fails(struct store *s, const struct node_id *id, uint64_t now_s, store_visit *visit,
                      store_done *done, void *context)
{
    (void)s, (void)id, (void)now_s, (void)visit;
    done(context, ERR_IO, 0);
}

static void list_fails(struct store *s, const struct store_query *query, store_visit *visit, store_done *done,
                       void *context)
{
    (void)s, (void)query, (void)visit;
    done(context, ERR_IO, 0);
}

static void count_fails(struct store *s, uint64_t now_s, store_done *done, void *context)
{
    (void)s, (void)now_s;
    done(context, ERR_IO, 0);
}

/* What needs no store is answered: nodes ask whether we are there. */
static void failing_store_is_503_where_it_is_needed(void **state)
{
    (void)state;
    struct store_ops broken = *store->ops;
    const struct store_ops *sound = store->ops;
    broken.get = get_fails;
    broken.list = list_fails;
    broken.count = count_fails;
    store->ops = &broken;
    expect_status("GET", "/v1/nodes/0123456789012345678901234567890123456789", 503);
    expect_status("GET", "/v1/nodes", 503);
    expect_status("GET", "/v1/networks/blue/nodes", 503);
    expect_status("GET", "/v1/info", 200);
    expect_status("GET", "/v1/challenge", 200);
    store->ops = sound;
    expect_status("GET", "/v1/nodes", 200);
}

/* An answer that comes later, and one that never does until the store is closed. */
static struct late {
    store_visit *visit;
    store_done *done;
    void *context;
} late;

static void get_later(struct store *s, const struct node_id *id, uint64_t now_s, store_visit *visit,
                      store_done *done, void *context)
{
    (void)s, (void)id, (void)now_s;
    late = (struct late){visit, done, context};
}

static void store_that_answers_later_is_waited_for(void **state)
{
    (void)state;
    struct store_ops slow = *store->ops;
    const struct store_ops *sound = store->ops;
    struct test_entry t;
    bool done = false;
    struct order o = {.request = request_of("GET", "/v1/nodes/0007000000000000000000000000000000000000"),
                      .done = note_done,
                      .context = &done};
    slow.get = get_later;
    store->ops = &slow;
    assert_false(routes_answer(routes, &o));
    routes_ask(&o);
    assert_false(done);
    test_entry_init(&t, 7, 3, NOW_S + 100)->linked = "https://b2.example";
    (void)late.visit(late.context, &t.entry);
    late.done(late.context, 0, 0);
    assert_true(done);
    assert_int_equal(o.answer.status, 200);
    json_t *json = json_loads(o.answer.body, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "linked")), "https://b2.example");
    json_decref(json);
    free(o.answer.body);
    store->ops = sound;
}

static void metrics_count_answers_by_status(void **state)
{
    (void)state;
    expect_status("GET", "/health", 200);
    expect_status("GET", "/nowhere", 404);
    expect_status("GET", "/nowhere", 404);
    struct request request = request_of("GET", "/metrics");
    struct response out;
    answer(&request, &out);
    assert_int_equal(out.status, 200);
    assert_non_null(strstr(out.body, "\nshadowmesh_backbone_http_answers_total{code=\"200\"} 1\n"));
    assert_non_null(strstr(out.body, "\nshadowmesh_backbone_http_answers_total{code=\"404\"} 2\n"));
    free(out.body);
}

static void websocket_is_agreed_to_and_counts_as_a_lookup(void **state)
{
    struct request request = request_of("GET", "/v1/link");
    struct response out;
    (void)state;
    json_decref(ask(&request, 426));
    request.upgrade = (struct upgrade_request){"websocket", "Upgrade", "dGhlIHNhbXBsZSBub25jZQ==", "13",
                                               "shadowmesh.link.v1"};
    answer(&request, &out);
    assert_true(out.status == 101 && out.body == NULL);
    assert_string_equal(out.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    request.body = (struct slice){(const uint8_t *)"x", 1};
    json_decref(ask(&request, 426));
    request.body.len = 0;
    request.method = "HEAD";
    json_decref(ask(&request, 426));
    request.method = "GET";
    for (unsigned i = 0; i < 100 && out.status == 101; i++)
        answer(&request, &out);
    assert_int_equal(out.status, 429);
    free(out.body);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(health_and_info_say_what_is_promised),
        TEST(challenge_is_64_hex_digits),
        TEST(unknown_paths_are_404),
        TEST(wrong_methods_are_405_and_say_what_is_right),
        TEST(head_is_answered_like_get),
        TEST(bad_ids_are_400_and_unknown_ones_404),
        TEST(stored_node_is_handed_out_in_base64),
        TEST(pages_end_with_the_last_node),
        TEST(pages_of_large_records_are_bounded_in_bytes),
        TEST(bad_page_arguments_are_400),
        TEST(lookups_over_the_rate_are_429_with_retry_after),
        TEST(page_of_a_listing_costs_ten_lookups),
        TEST(registrations_have_a_rate_of_their_own),
        TEST(registration_that_is_refused_does_not_count),
        TEST(failing_store_is_503_where_it_is_needed),
        TEST(store_that_answers_later_is_waited_for),
        TEST(metrics_count_answers_by_status),
        TEST(websocket_is_agreed_to_and_counts_as_a_lookup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
