/* SPDX-License-Identifier: Apache-2.0 */
/* One check at a time, whoever asks. */

#include "node/command/checks.h"

#include "node/api/api.h"
#include "node/command/describe.h"

static void on_done(void *context, json_t *result)
{
    struct checks *c = context;
    c->running = NULL;
    if (result)
        json_object_set_new(result, "port_mapping", describe_mappings(c->portmap));
    for (unsigned i = 0; i < c->count; i++)
        api_reply(c->calls[i], json_incref(result));
    c->count = 0;
    json_decref(result);
}

void checks_start(struct checks *c, struct api_call *call)
{
    if (c->count == CHECKS_MAX) {
        api_fail(call, "too many wait for a check already");
        return;
    }
    int err = c->running ? 0 : netcheck_start(&c->config, on_done, c, &c->running);
    if (err)
        api_fail(call, "the check cannot begin: %s", err_str(err));
    else
        c->calls[c->count++] = call;
}

void checks_end(struct checks *c)
{
    if (c->running)
        netcheck_cancel(c->running);
    c->running = NULL;
    for (unsigned i = 0; i < c->count; i++)
        api_fail(c->calls[i], "the node is stopping");
    c->count = 0;
}
