/* SPDX-License-Identifier: Apache-2.0 */
/* Fresh randomness first, then fresh keys for everything. docs/SECURITY.md, "Snapshots". Control thread. */

#include "node/snapshot.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "net/uevent.h"
#include "node/node.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static void on_uevent(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    struct node *n = handle->data;
    if (!uevent_drain(n->uevent_fd))
        return;
    secret_reseed();
    mesh_rekey_all(n->mesh, clock_monotonic_us());
    log_warn("this machine was resumed from a snapshot: every session is made anew");
}

void snapshot_watch(struct node *n)
{
    if (uevent_open(&n->uevent_fd)) {
        n->uevent_fd = -1;
        log_debug("no notice comes when this machine is resumed from a snapshot: %s", strerror(errno));
        return;
    }
    uv_poll_init(&n->loop, &n->uevents, n->uevent_fd);
    uv_poll_start(&n->uevents, UV_READABLE, on_uevent);
}

void snapshot_unwatch(struct node *n)
{
    if (n->uevent_fd >= 0)
        close(n->uevent_fd);
}
