/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/nodes: JSON, Base64, and the record behind them, as a stranger sends them to the backbone. What
 * comes back is an answer in JSON whatever was sent, and nothing unsigned is ever registered. */

#include "backbone/routes.h"
#include "backbone/store_sqlite.h"
#include <stdlib.h>
#include <string.h>

#define NOW_S 1800000000ull

static struct directory *directory;
static struct metrics metrics;
static struct routes *routes;

static void start(void)
{
    struct store *store;
    if (store_sqlite_open(":memory:", 100, &store) != 0 || directory_new(store, &directory) != 0)
        abort();
    const struct routes_config config = {.directory = directory, .metrics = &metrics, .stun_port = 8080};
    if (routes_new(&config, &routes) != 0)
        abort();
}

static void on_done(void *context)
{
    *(bool *)context = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t now_us;
    if (size > ROUTES_BODY_MAX)
        return 0;
    if (!routes)
        start();
    bool done = false;
    struct order o = {.request = {.method = "POST",
                                  .path = "/v1/nodes",
                                  .body = {data, size},
                                  .from = {.family = 4, .ip = {192, 0, 2, 1}},
                                  .now_us = now_us += 1000000,
                                  .now_s = NOW_S},
                      .done = on_done,
                      .context = &done};
    if (routes_answer(routes, &o))
        abort();
    routes_ask(&o);
    const struct response out = o.answer;
    if (!done || (out.status != 400 && out.status != 401) || !out.body ||
        strncmp(out.body, "{\"error\":", 9) != 0)
        abort();
    free(out.body);
    return 0;
}
