/* SPDX-License-Identifier: Apache-2.0 */
/* The table of helpers. */
#include "node/helper/helpers.h"

#include "node/helper/backbone_helper.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helper_keeper.h"
#include "node/helper/name_helper.h"

#include <unistd.h>

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
