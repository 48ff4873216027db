/* SPDX-License-Identifier: Apache-2.0 */
/* No setting of libuv's keeps it from that ring, only a kernel that has none. So the loop is made in a thread for which that
 * is so, and which is gone afterwards: on the threads that stay no filter lies for its sake. */

#include "node/control/plain_loop.h"

#include "net/syscall_filter.h"
#include <pthread.h>

#define FIRST_WITH_RING (1u << 16 | 45u << 8) /* of uv_version() */

struct making {
    uv_loop_t *loop;
    int result;
};

static void *make(void *context)
{
    struct making *m = context;
    int err = syscall_filter_refuse("io_uring_setup");
    (void)err; /* a kernel without filters: the cage, which asks more of it, says so */
    m->result = uv_loop_init(m->loop);
    return NULL;
}

int plain_loop_init(uv_loop_t *loop)
{
    struct making m = {.loop = loop};
    pthread_t thread;
    if (uv_version() < FIRST_WITH_RING)
        return uv_loop_init(loop);
    int err = pthread_create(&thread, NULL, make, &m);
    if (err) /* a node cannot do without threads: what needs the first one says so */
        return uv_loop_init(loop);
    pthread_join(thread, NULL);
    return m.result;
}
