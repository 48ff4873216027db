/* SPDX-License-Identifier: Apache-2.0 */
/* Of all that a node consists of, the helpers, their clients and a loop, in a node's cage. */

#include "node/control/control_netcheck.h"

#include "node/control/cage.h"
#include "node/control/control_state.h"
#include "node/netcheck/netcheck.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check {
    struct node *node;
    struct helper_client *names, *backbone;
    struct name_client *name_client;
    int code;
};

static void close_clients(struct check *c)
{
    name_client_free(c->name_client);
    helper_client_close(c->names);
    helper_client_close(c->backbone);
}

static void on_done(void *context, json_t *result)
{
    struct check *c = context;
    bool ok = result && json_dumpf(result, stdout, JSON_PRESERVE_ORDER) == 0 && putchar('\n') != EOF &&
              !fflush(stdout);
    json_decref(result);
    c->code = ok ? EXIT_SUCCESS : EXIT_FAILURE;
    close_clients(c);
}

/* Takes the descriptor at end. */
static int open_client(struct check *c, int *end, const char *title, struct helper_client **out)
{
    const struct helper_client_config config = {&c->node->loop, title};
    int fd = *end;
    *end = -1;
    return helper_client_new(&config, fd, out);
}

static int start(struct check *c)
{
    struct node *n = c->node;
    struct netcheck *check;
    int err = open_client(c, &n->helpers.names, HELPERS_NAMES, &c->names);
    if (!err && n->helpers.backbone >= 0)
        err = open_client(c, &n->helpers.backbone, HELPERS_BACKBONE, &c->backbone);
    if (!err)
        err = name_client_new(c->names, &c->name_client);
    const struct netcheck_config config = {.loop = &n->loop,
                                           .config = n->config,
                                           .proxies = n->proxies,
                                           .names = c->name_client,
                                           .backbones = c->backbone};
    if (!err)
        err = netcheck_start(&config, on_done, c, &check);
    if (err)
        close_clients(c);
    return err;
}

int control_netcheck(struct node *n)
{
    struct check c = {.node = n, .code = EXIT_FAILURE};
    char why[HELPER_TEXT_MAX];
    const char *title;
    if (!n->config->backbone_count && !n->config->stun_count) {
        log_error("-netcheck: there is nobody to ask: give -backbone URL or -stun HOST too");
        return 2;
    }
    if (helpers_wait(&n->helpers, -1, &title, why)) {
        log_error("%s: its process does not start: %s", title, why);
        return EXIT_FAILURE;
    }
    if (cage_enter(n->config, "", &n->sandbox))
        return EXIT_FAILURE;
    uv_loop_init(&n->loop);
    int err = start(&c);
    if (err)
        log_error("cannot check the network: %s", err_str(err));
    uv_run(&n->loop, UV_RUN_DEFAULT);
    uv_loop_close(&n->loop);
    helpers_close(&n->helpers);
    return c.code;
}
