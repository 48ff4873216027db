/* SPDX-License-Identifier: Apache-2.0 */
/* A node from its flags to its exit code. */

#include "node/control/control.h"

#include "base/clock.h"
#include "net/notify.h"
#include "net/opener.h"
#include "net/process.h"
#include "node/control/control_doors.h"
#include "node/control/control_loop.h"
#include "node/control/control_netcheck.h"
#include "node/control/control_network.h"
#include "node/control/control_start.h"
#include "node/control/control_state.h"
#include "node/control/control_stop.h"
#include "node/control/keydir.h"
#include "node/control/resources.h"
#include "node/device/rootless.h"
#include "node/helper/helper_keeper.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool choose_proxy(const struct config *config, const char *backbone, struct proxy *out)
{
    char wrong[PROXY_WRONG_MAX];
    bool ok = proxy_choose(config, backbone, getenv, out, wrong);
    if (!ok)
        log_error("%s", wrong);
    else if (wrong[0])
        log_warn("%s", wrong);
    if (ok && out->url[0])
        log_info("backbone %s: by the proxy %s", backbone, out->shown);
    return ok;
}

static bool choose_proxies(struct node *n)
{
    bool ok = true;
    for (unsigned i = 0; ok && i < n->config->backbone_count; i++)
        ok = choose_proxy(n->config, n->config->backbones[i], &n->proxies[i]);
    for (unsigned i = n->config->backbone_count; i < UPLINKS_MAX; i++)
        n->proxies[i] = n->proxies[0]; /* visits are made as the first one is reached */
    return ok;
}

static enum resolver_mode resolver_mode(const struct config *config)
{
    return config->network[0] && !config->netcheck && !config->rootless ? config->dns : RESOLVER_OFF;
}

static bool start_helpers(struct node *n)
{
    struct helper_job doors;
    bool has_doors = !n->config->netcheck && config_has_doors(n->config);
    /* of the device, or on the way to it: there is one of both at most */
    int kept = n->given.queue_count ? n->given.queues[0] : n->broker_also;
    if (has_doors && !control_doors_open(n, &doors))
        return false;
    struct helpers_config config = {.caged = n->config->sandbox,
                                    .count = n->config->backbone_count ? UPLINKS_MAX : 0,
                                    .portmap = n->config->portmap && !n->config->netcheck,
                                    .port = n->config->port,
                                    .control_port = n->config->control_port,
                                    .doors = has_doors ? &doors : NULL,
                                    .kept = &kept,
                                    .kept_count = kept >= 0,
                                    .resolver = {.mode = resolver_mode(n->config),
                                                 .network = n->config->network,
                                                 .hosts = RESOLVER_HOSTS_FILE},
                                    .workers = resources_workers(n->config)};
    for (unsigned i = 0; i < config.count; i++) {
        config.backbones[i].url = n->config->backbones[i];
        config.backbones[i].proxy = &n->proxies[i];
    }
    int err = helpers_start(&config, &n->helpers);
    if (err)
        log_error("cannot start the helper processes: %s", strerror(errno));
    for (unsigned i = 0; i < config.count; i++)
        proxy_forget_words(&n->proxies[i]);
    control_doors_forget_words();
    return err == 0;
}

static bool start_opener(struct node *n)
{
    const struct flags_source *source = &n->config->source;
    const struct opener_config config = {.paths = source->files,
                                         .count = source->file_count,
                                         .caged = n->config->sandbox,
                                         .title = "shadowmesh-l2: files"};
    int err = source->file_count && !n->config->netcheck ? opener_start(&config, &n->opener) : 0;
    if (err)
        log_error("cannot start the process that opens the files of -config: %s", strerror(errno));
    return err == 0;
}

/* Behind the other processes: none of them is to have the device's queues. */
static bool start_broker(struct node *n)
{
    bool ok = !n->config->rootless || n->config->netcheck ||
              rootless_start(n->config, resources_workers(n->config), n->broker_also, &n->broker) == 0;
    if (n->broker_also >= 0)
        close(n->broker_also);
    n->broker_also = -1;
    return ok;
}

/* Before anything else is open, which might have its number. */
static bool take_given(struct node *n)
{
    const struct config *c = n->config;
    return !c->tun_fd || c->netcheck || c->generate_keys || device_take(c, &n->given) == 0;
}

static bool load_identity(const struct config *config, struct identity **out, bool *made)
{
    if (keydir_load(config->keydir, out, made))
        return false;
    if (*made && config->generate_keys && keydir_keep(*out, config->keydir))
        return false;
    if (*made && !config->generate_keys)
        return true; /* it is said once it is kept */
    return keydir_say_id(*out) || !config->generate_keys;
}

int control_run(struct config *config)
{
    static struct node node;
    struct node *n = &node;
    n->config = config;
    n->started_us = clock_monotonic_us();
    n->snapshot = SNAPSHOT_NONE;
    n->helpers = HELPERS_NONE;
    n->broker = BROKER_NONE;
    n->broker_also = -1;
    n->opener = n->reloads.config.opener = -1;
    n->key = KEY_DRAFT_NONE;
    if (!take_given(n) || !resources_room(config) ||
        (!config->generate_keys &&
         (!choose_proxies(n) || !start_helpers(n) || !start_opener(n) || !start_broker(n))))
        return EXIT_FAILURE;
    if (config->netcheck)
        return control_netcheck(n);
    if (!notify_open())
        log_warn("the service manager hears nothing of this node: its NOTIFY_SOCKET cannot be reached: %s",
                 strerror(errno));
    process_begin_small();
    if (!load_identity(config, &n->identity, &n->key_made))
        return EXIT_FAILURE;
    if (config->generate_keys) {
        identity_free(n->identity);
        return EXIT_SUCCESS;
    }
    if (!control_network_open(n))
        return EXIT_FAILURE;
    frame_log_init(&n->frame_log, config->verbose);
    control_loop_init(n);
    bool runs = control_start(n);
    process_end_small();
    int code = runs || n->ended ? EXIT_SUCCESS : EXIT_FAILURE;
    if (runs)
        uv_run(&n->loop, UV_RUN_DEFAULT);
    if (n->broker_gone)
        code = EXIT_FAILURE;
    control_stop(n, code);
    identity_free(n->identity);
    return code;
}
