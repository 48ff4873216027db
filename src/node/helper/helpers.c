/* SPDX-License-Identifier: Apache-2.0 */
/* The table of helpers, and the end of their start. */
#include "node/helper/helpers.h"

#include "node/helper/backbone_helper.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helper_keeper.h"
#include "node/helper/name_helper.h"

#include "base/clock.h"
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define START_US (30 * USEC_PER_SEC)

int helpers_start(const struct helpers_config *config, struct helpers *out)
{
    const struct name_helper_config names = {config->caged, NAME_HELPER_PATIENCE_S, name_helper_look_up};
    const struct backbone_helper_config backbone = {config->caged, config->backbone};
    struct helper_job jobs[] = {
        {"shadowmesh-l2: names", "names", -1, name_helper_run, &names},
        {"shadowmesh-l2: backbone", "backbone", -1, backbone_helper_run, &backbone},
    };
    unsigned count = config->backbone[0] ? 2 : 1;
    int node[] = {-1, -1}, err = 0;
    for (unsigned i = 0; !err && i < count; i++)
        err = helper_channel_open(&node[i], &jobs[i].fd);
    if (!err)
        err = helper_keeper_start(jobs, count, node, config->caged);
    *out = (struct helpers){node[0], node[1]};
    if (err)
        helpers_close(out);
    return err;
}

/* What the first message says; one that died is followed by another one. */
static int wait_one(int fd, uint64_t until_us, char why[HELPER_TEXT_MAX])
{
    static struct helper_packet packet;
    snprintf(why, HELPER_TEXT_MAX, "no word of it for %d s", (int)(START_US / USEC_PER_SEC));
    for (uint64_t now_us; (now_us = clock_monotonic_us()) < until_us;) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        (void)!poll(&readable, 1, (int)((until_us - now_us) / USEC_PER_MSEC) + 1);
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

int helpers_wait(const struct helpers *h, const char **title, char why[HELPER_TEXT_MAX])
{
    uint64_t until_us = clock_monotonic_us() + START_US;
    *title = HELPERS_NAMES;
    int err = wait_one(h->names, until_us, why);
    if (err || h->backbone < 0)
        return err;
    *title = HELPERS_BACKBONE;
    return wait_one(h->backbone, until_us, why);
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
}
