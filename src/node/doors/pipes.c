/* SPDX-License-Identifier: Apache-2.0 */
#include "node/doors/pipes.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int pipes_take(struct pipes *p, int out[2])
{
    if (!p->count)
        return pipe2(out, O_NONBLOCK | O_CLOEXEC) == 0 ? 0 : ERR_IO;
    memcpy(out, p->spare[--p->count], sizeof(p->spare[0]));
    return 0;
}

void pipes_give(struct pipes *p, const int pipe[2])
{
    if (p->count == PIPES_SPARE_MAX)
        pipes_drop(pipe);
    else
        memcpy(p->spare[p->count++], pipe, sizeof(p->spare[0]));
}

void pipes_drop(const int pipe[2])
{
    close(pipe[0]);
    close(pipe[1]);
}

void pipes_fini(struct pipes *p)
{
    while (p->count)
        pipes_drop(p->spare[--p->count]);
}
