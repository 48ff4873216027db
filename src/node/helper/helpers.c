/* SPDX-License-Identifier: Apache-2.0 */
/* The table of helpers. */
#include "node/helper/helpers.h"

#include "node/helper/helper_channel.h"
#include "node/helper/helper_keeper.h"
#include "node/helper/name_helper.h"

#include <unistd.h>

int helpers_start(const struct helpers_config *config, struct helpers *out)
{
    const struct name_helper_config names = {config->caged, NAME_HELPER_PATIENCE_S, name_helper_look_up};
    struct helper_job jobs[] = {
        {"shadowmesh-l2: names", "names", -1, name_helper_run, &names},
    };
    *out = HELPERS_NONE;
    int err = helper_channel_open(&out->names, &jobs[0].fd);
    if (!err)
        err = helper_keeper_start(jobs, 1, &out->names, config->caged);
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
}
