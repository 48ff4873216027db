/* SPDX-License-Identifier: Apache-2.0 */
/* The table of helpers, and the end of their start. */
#include "node/helper/helpers.h"

#include "node/helper/backbone_helper.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helper_keeper.h"
#include "node/helper/helper_process.h"
#include "node/helper/name_helper.h"
#include "node/helper/portmap_helper.h"
#include "node/helper/uplink_channel.h"

#include "base/clock.h"
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define START_US (30 * USEC_PER_SEC)
#define ENDS_MAX (UPLINKS_MAX * (1 + UPLINK_WORKERS_MAX))
#define JOBS_MAX 4
#define KEPT_MAX 4

static int open_uplink(unsigned workers, struct uplink_ends *node, struct uplink_ends *helper)
{
    int err = uplink_channel_open(&node->control, &helper->control);
    while (!err && node->worker_count < workers) {
        unsigned i = node->worker_count;
        err = uplink_channel_open(&node->workers[i], &helper->workers[i]);
        node->worker_count = helper->worker_count += err == 0;
    }
    return err;
}

static unsigned list_ends(const struct uplink_ends *ends, int *out)
{
    unsigned count = 0;
    if (ends->control >= 0)
        out[count++] = ends->control;
    for (unsigned i = 0; i < ends->worker_count; i++)
        out[count++] = ends->workers[i];
    return count;
}

static int open_backbone(const struct helpers_config *config, unsigned i, struct helpers *node,
                         struct backbone_place *helper)
{
    helper->url = config->backbones[i].url;
    if (config->backbones[i].proxy)
        helper->proxy = *config->backbones[i].proxy;
    node->uplinks[i].control = -1;
    node->uplink_count = i + 1;
    return open_uplink(config->workers, &node->uplinks[i], &helper->ends);
}

/* Returns how many there are: names, backbones, port mappings, doors. */
static unsigned list_jobs(struct helper_job *jobs, const struct name_helper_config *names,
                          const struct backbone_helper_config *backbone, const int *more,
                          const struct portmap_helper_config *portmap, const struct helper_job *doors)
{
    unsigned count = 0;
    jobs[count++] = (struct helper_job){
        .title = "shadowmesh-l2: names", .name = "names", .fd = -1, .run = name_helper_run, .context = names};
    if (backbone)
        jobs[count++] = (struct helper_job){.title = "shadowmesh-l2: backbone",
                                            .name = "backbone",
                                            .fd = -1,
                                            .more = more,
                                            .run = backbone_helper_run,
                                            .context = backbone};
    if (portmap)
        jobs[count++] = (struct helper_job){.title = "shadowmesh-l2: portmap",
                                            .name = "portmap",
                                            .fd = -1,
                                            .run = portmap_helper_run,
                                            .context = portmap};
    if (doors)
        jobs[count++] = *doors;
    return count;
}

static int open_channels(const struct helpers_config *config, struct helpers *out, struct helper_job *jobs)
{
    struct {
        bool wanted;
        int *node;
    } const ends[JOBS_MAX] = {{true, &out->names},
                              {config->count > 0, &out->backbone},
                              {config->portmap, &out->portmap},
                              {config->doors, &out->doors}};
    int err = 0;
    for (unsigned i = 0; !err && i < JOBS_MAX; i++)
        if (ends[i].wanted)
            err = helper_channel_open(ends[i].node, &jobs++->fd);
    return err;
}

static unsigned list_node(const struct helpers *h, int *out)
{
    const int own[] = {h->names, h->backbone, h->portmap, h->doors, h->resolver};
    unsigned count = 0;
    for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (own[i] >= 0)
            out[count++] = own[i];
    for (unsigned i = 0; i < h->uplink_count; i++)
        count += list_ends(&h->uplinks[i], out + count);
    return count;
}

/* Of the system, not of OpenSSL: nothing of that is to be made before the fork. */
static struct portmap_helper_config portmap_config(const struct helpers_config *config)
{
    struct portmap_helper_config out = {
        .caged = config->caged, .port = config->port, .control_port = config->control_port};
    (void)!getrandom(out.nonce, sizeof(out.nonce), 0); /* 12 bytes come whole */
    return out;
}

/* The one that keeps the node's rights: it is nobody's to start again, and hears the node alone. Doors are not its. */
static int start_resolver(const struct helpers_config *all, int *node)
{
    const struct resolver_helper_config *config = &all->resolver;
    int fd;
    if (config->mode == RESOLVER_OFF)
        return 0;
    int err = helper_channel_open(node, &fd);
    if (err)
        return err;
    pid_t pid = fork();
    if (pid == 0) {
        close(*node);
        for (unsigned i = 0; all->doors && i < all->doors->more_count; i++)
            close(all->doors->more[i]);
        for (unsigned i = 0; i < all->kept_count; i++)
            close(all->kept[i]);
        helper_process_begin("shadowmesh-l2: resolver", "resolver");
        _exit(resolver_helper_run(fd, config));
    }
    close(fd);
    return pid < 0 ? ERR_IO : 0;
}

static int start_keeper(const struct helpers_config *config, const struct helpers *out,
                        const struct helper_job *jobs, unsigned count)
{
    int node[JOBS_MAX + 1 + ENDS_MAX + KEPT_MAX];
    unsigned node_count = list_node(out, node);
    for (unsigned i = 0; i < config->kept_count && i < KEPT_MAX; i++)
        node[node_count++] = config->kept[i];
    return helper_keeper_start(jobs, count, node, node_count, config->caged);
}

int helpers_start(const struct helpers_config *config, struct helpers *out)
{
    const struct name_helper_config names = {config->caged, NAME_HELPER_PATIENCE_S, name_helper_look_up};
    struct backbone_helper_config backbone = {.caged = config->caged, .count = config->count};
    const struct portmap_helper_config portmap = portmap_config(config);
    int more[ENDS_MAX];
    struct helper_job jobs[JOBS_MAX];
    unsigned more_count = 0, count = list_jobs(jobs, &names, config->count ? &backbone : NULL, more,
                                               config->portmap ? &portmap : NULL, config->doors);
    *out = HELPERS_NONE;
    for (unsigned i = 0; i < config->count; i++)
        backbone.places[i].ends.control = -1;
    int err = start_resolver(config, &out->resolver);
    if (!err)
        err = open_channels(config, out, jobs);
    for (unsigned i = 0; !err && i < config->count; i++)
        err = open_backbone(config, i, out, &backbone.places[i]);
    for (unsigned i = 0; i < config->count; i++)
        more_count += list_ends(&backbone.places[i].ends, more + more_count);
    if (config->count)
        jobs[1].more_count = more_count;
    if (!err)
        err = start_keeper(config, out, jobs, count);
    for (unsigned i = 0; i < config->count; i++)
        proxy_forget_words(&backbone.places[i].proxy); /* the helpers have their own */
    if (err)
        helpers_close(out);
    return err;
}

/* What the first message says; one that died is followed by another one. */
static int wait_one(int fd, int stop, uint64_t until_us, char why[HELPER_TEXT_MAX])
{
    static struct helper_packet packet;
    struct pollfd readable[] = {{.fd = fd, .events = POLLIN}, {.fd = stop, .events = POLLIN}};
    snprintf(why, HELPER_TEXT_MAX, "no word of it for %d s", (int)(START_US / USEC_PER_SEC));
    for (uint64_t now_us; (now_us = clock_monotonic_us()) < until_us && !readable[1].revents;) {
        (void)!poll(readable, 2, (int)((until_us - now_us) / USEC_PER_MSEC) + 1);
        int err = helper_channel_receive(fd, &packet);
        if (err == ERR_AGAIN)
            continue;
        if (err)
            snprintf(why, HELPER_TEXT_MAX, "%s", err_str(err));
        if (err || packet.message.kind == HELPER_READY)
            return err;
        snprintf(why, HELPER_TEXT_MAX, "%s", packet.message.text);
        if (packet.message.kind != HELPER_ENDED)
            return ERR_UNSUPPORTED;
    }
    return ERR_AGAIN;
}

int helpers_wait(const struct helpers *h, int stop, const char **title, char why[HELPER_TEXT_MAX])
{
    uint64_t until_us = clock_monotonic_us() + START_US;
    *title = HELPERS_NAMES;
    int err = wait_one(h->names, stop, until_us, why);
    if (err || h->backbone < 0)
        return err;
    *title = HELPERS_BACKBONE;
    return wait_one(h->backbone, stop, until_us, why);
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void helpers_close(struct helpers *h)
{
    close_one(&h->names);
    close_one(&h->backbone);
    close_one(&h->portmap);
    close_one(&h->doors);
    close_one(&h->resolver);
    for (unsigned i = 0; i < h->uplink_count; i++) {
        close_one(&h->uplinks[i].control);
        for (unsigned j = 0; j < h->uplinks[i].worker_count; j++)
            close_one(&h->uplinks[i].workers[j]);
    }
}
