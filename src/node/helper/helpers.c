/* SPDX-License-Identifier: Apache-2.0 */
/* The table of helpers, and the end of their start. */
#include "node/helper/helpers.h"

#include "node/helper/backbone_helper.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helper_keeper.h"
#include "node/helper/name_helper.h"
#include "node/helper/uplink_channel.h"

#include "base/clock.h"
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define START_US (30 * USEC_PER_SEC)
#define ENDS_MAX (1 + UPLINK_WORKERS_MAX)

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

int helpers_start(const struct helpers_config *config, struct helpers *out)
{
    const struct name_helper_config names = {config->caged, NAME_HELPER_PATIENCE_S, name_helper_look_up};
    struct backbone_helper_config backbone = {
        .caged = config->caged, .url = config->backbone, .ends = {.control = -1}};
    int more[ENDS_MAX], node[2 + ENDS_MAX];
    struct helper_job jobs[] = {
        {.title = "shadowmesh-l2: names",
         .name = "names",
         .fd = -1,
         .run = name_helper_run,
         .context = &names},
        {.title = "shadowmesh-l2: backbone",
         .name = "backbone",
         .fd = -1,
         .more = more,
         .run = backbone_helper_run,
         .context = &backbone},
    };
    unsigned count = config->backbone[0] ? 2 : 1;
    if (config->proxy)
        backbone.proxy = *config->proxy;
    *out = HELPERS_NONE;
    int err = helper_channel_open(&out->names, &jobs[0].fd);
    if (!err && count == 2)
        err = helper_channel_open(&out->backbone, &jobs[1].fd);
    if (!err && count == 2)
        err = open_uplink(config->workers, &out->uplink, &backbone.ends);
    jobs[1].more_count = list_ends(&backbone.ends, more);
    node[0] = out->names;
    node[1] = out->backbone;
    if (!err)
        err = helper_keeper_start(jobs, count, node, count + list_ends(&out->uplink, node + count),
                                  config->caged);
    proxy_forget_words(&backbone.proxy); /* the helpers have their own */
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
    close_one(&h->uplink.control);
    for (unsigned i = 0; i < h->uplink.worker_count; i++)
        close_one(&h->uplink.workers[i]);
}
