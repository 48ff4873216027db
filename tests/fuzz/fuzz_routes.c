/* SPDX-License-Identifier: Apache-2.0 */
/* The backbone's HTTP API without HTTP: METHOD, PATH, after and limit, a line each (the last two begin with '=' when
 * they are there), then the body. Every answer is one that docs/PROTOCOL.md §8 knows, and is whole. */

#include "backbone/routes.h"

#include "../unit/backbone_entry.h"
#include "backbone/store_sqlite.h"
#include <jansson.h>
#include <stdlib.h>

#define NOW_S     1800000000ull
#define MINUTE_US 60000000ull
#define ENTRIES   120

static struct directory *directory;
static struct metrics metrics;
static struct routes *routes;
static uint64_t now_us;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void on_put(void *context, int err, uint64_t number)
{
    (void)context, (void)number;
    check(err == 0);
}

/* More nodes than one page, half of them in a network. */
static void fill(struct store *store)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct test_entry t;
        struct store_entry *e = test_entry_init(&t, i, 1, NOW_S + 1000);
        e->is_public = i % 2 == 0;
        snprintf(e->network, sizeof(e->network), "%s", i % 2 ? "net" : "");
        store_put(store, e, NOW_S, on_put, NULL);
    }
}

static void start(void)
{
    struct store *store;
    check(store_sqlite_open(":memory:", 1000, &store) == 0);
    fill(store);
    check(directory_new(store, &directory) == 0);
    const struct routes_config config = {.directory = directory, .metrics = &metrics, .stun_port = 8080};
    check(routes_new(&config, &routes) == 0);
}

/* The next line, NUL-terminated; the rest stays in *text. NULL when there is no more. */
static char *next_line(char **text)
{
    char *line = *text, *end = line ? strchr(line, '\n') : NULL;
    if (end)
        *end = '\0';
    *text = end ? end + 1 : NULL;
    return line;
}

static void check_page(const json_t *answer, const struct request *request)
{
    const json_t *nodes = json_object_get(answer, "nodes"), *node;
    size_t i, limit = request->limit ? strtoul(request->limit, NULL, 10) : 100;
    const char *last = request->after;
    check(json_array_size(nodes) <= limit);
    json_array_foreach(nodes, i, node)
    {
        const char *id = json_string_value(json_object_get(node, "id"));
        check(id || json_is_string(json_object_get(node, "record")));
        check(!id || !last || strcasecmp(id, last) > 0);
        last = id ? id : last;
    }
}

static void check_json(const struct response *out, const struct request *request)
{
    json_t *json = json_loadb(out->body, out->len, 0, NULL);
    check(json_is_object(json));
    check((out->status >= 400) == json_is_string(json_object_get(json, "error")));
    if (json_is_array(json_object_get(json, "nodes")))
        check_page(json, request);
    json_decref(json);
}

static bool known(unsigned status)
{
    static const unsigned all[] = {200, 201, 400, 401, 403, 404, 405, 409};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (status == all[i])
            return true;
    return false;
}

static void on_done(void *context)
{
    *(bool *)context = true;
}

static void ask(const struct request *request)
{
    bool done = false;
    struct order o = {.request = *request, .done = on_done, .context = &done};
    if (!routes_answer(routes, &o)) {
        routes_ask(&o);
        check(done);
    }
    const struct response out = o.answer;
    check(known(out.status) && out.body && out.type && !out.retry_after_s);
    check((out.status == 405) == (out.allow != NULL) && strlen(out.body) == out.len);
    check(out.status != 201 || strcmp(request->method, "POST") == 0);
    if (strcmp(out.type, "application/json") == 0)
        check_json(&out, request);
    else
        check(out.status == 200 && strcmp(request->path, "/metrics") == 0);
    free(out.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!routes)
        start();
    char *copy = malloc(size + 1), *text = copy;
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    copy[size] = '\0';
    const char *method = next_line(&text), *path = next_line(&text), *after = next_line(&text),
               *limit = next_line(&text);
    size_t len = text ? (size_t)(copy + size - text) : 0;
    now_us += MINUTE_US; /* rates are not what this asks about */
    struct request request = {.method = method,
                              .path = path ? path : "",
                              .after = after && after[0] == '=' ? after + 1 : NULL,
                              .limit = limit && limit[0] == '=' ? limit + 1 : NULL,
                              .body = {(const uint8_t *)text, len},
                              .from = {.family = 4, .port = 4000, .ip = {192, 0, 2, 1}},
                              .now_us = now_us,
                              .now_s = NOW_S};
    if (len <= ROUTES_BODY_MAX)
        ask(&request);
    free(copy);
    return 0;
}
