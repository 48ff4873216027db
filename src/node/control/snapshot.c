/* SPDX-License-Identifier: Apache-2.0 */
/* Fresh randomness first, then fresh keys for everything. docs/SECURITY.md, "Snapshots". Control thread. */

#include "node/control/snapshot.h"

#include "base/log.h"
#include "crypto/secret.h"
#include "net/uevent.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static void on_uevent(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    struct snapshot *s = handle->data;
    if (!uevent_drain(s->fd))
        return;
    secret_reseed();
    s->on_resumed(s->context);
    log_warn("this machine was resumed from a snapshot: every session is made anew");
}

void snapshot_watch(struct snapshot *s, uv_loop_t *loop, void (*on_resumed)(void *context), void *context)
{
    *s = (struct snapshot){.fd = -1, .on_resumed = on_resumed, .context = context};
    if (uevent_open(&s->fd)) {
        s->fd = -1;
        log_debug("no notice comes when this machine is resumed from a snapshot: %s", strerror(errno));
        return;
    }
    uv_poll_init(loop, &s->poll, s->fd);
    s->poll.data = s;
    uv_poll_start(&s->poll, UV_READABLE, on_uevent);
}

void snapshot_unwatch(struct snapshot *s)
{
    if (s->fd < 0)
        return;
    uv_close((uv_handle_t *)&s->poll, NULL);
    close(s->fd);
    s->fd = -1;
}
