/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An event loop that can run in the cage. */

#include <uv.h>

/* As uv_loop_init, and libuv makes no ring of io_uring(7) for it: from 1.45 on it would pass epoll_ctl on by one. The cage refuses
 * that, as what a ring carries passes by its filter, and libuv would end the process. */
int plain_loop_init(uv_loop_t *loop);
