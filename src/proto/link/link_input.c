/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream brings, and what takes long to be made of it: kept, given out, and taken back. docs/PROTOCOL.md §6. Control
 * thread. */

#include "proto/link/link_input.h"

#include "proto/link/link_entry.h"
#include "proto/link/link_impl.h"
#include <stdio.h>
#include <stdlib.h>

void link_fail(struct link *l, int err, const char *reason)
{
    if (l->error)
        return;
    l->error = err;
    snprintf(l->reason, sizeof(l->reason), "%s", reason);
}

/* TLS knows nothing of a message that is malformed or too long. */
void link_fail_channel(struct link *l, int err)
{
    link_fail(l, err,
              err == ERR_CLOSED   ? "the peer closed the connection"
              : err == ERR_FORMAT ? "a malformed control message"
                                  : channel_reason(l->channel));
}

static void keep(struct link *l, const uint8_t *data, size_t len)
{
    if (len > LINK_INBOX_MAX - l->inbox_len) {
        link_fail(l, ERR_SPACE, "it sends more than a handshake takes");
        return;
    }
    uint8_t *inbox = len ? realloc(l->inbox, l->inbox_len + len) : NULL;
    if (!inbox) {
        link_fail(l, ERR_NOMEM, "out of memory");
        return;
    }
    memcpy(inbox + l->inbox_len, data, len);
    l->inbox = inbox;
    l->inbox_len += len;
}

static void drop_inbox(struct link *l)
{
    free(l->inbox);
    l->inbox = NULL;
    l->inbox_len = 0;
}

static void feed(struct link *l, const uint8_t *data, size_t len)
{
    int err = channel_feed(l->channel, data, len);
    if (err)
        link_fail_channel(l, err);
}

void link_on_bytes(struct link *l, const uint8_t *data, size_t len)
{
    if (l->error || len == 0 || (!l->channel && !l->busy) || !link_may_bring(l, len))
        return;
    if (l->state > LINK_STATE_SECURING && !l->busy && !l->work_due) {
        feed(l, data, len);
        return;
    }
    keep(l, data, len);
    l->work_due |= !l->busy;
}

/* What came before, and what is computed from it, is acted upon first: link_next makes an error of it. */
void link_on_closed(struct link *l, const char *reason)
{
    l->has_stream = false;
    if (!l->error)
        snprintf(l->reason, sizeof(l->reason), "%s", reason);
}

void link_on_late(struct link *l)
{
    link_fail(l, ERR_CLOSED, "no answer within 5 s");
}

bool link_has_work(const struct link *l)
{
    return l->work_due && l->channel && !l->error;
}

struct link_work *link_begin_work(struct link *l)
{
    bool root = l->state > LINK_STATE_SECURING;
    struct link_work *w = link_work_new(l, root ? LINK_WORK_ROOT : LINK_WORK_SECURE);
    if (!w) {
        link_fail(l, ERR_NOMEM, "out of memory");
        return NULL;
    }
    w->channel = l->channel;
    l->channel = NULL;
    w->offer = l->offer;
    l->offer = NULL;
    w->fresh = l->fresh_root;
    w->all = link_both_can(l, HELLO_FEATURE_NETWORK);
    if (root) {
        const struct message_share *theirs = l->opener ? &l->message->answer : &l->message->offer;
        memcpy(w->theirs, theirs->key, sizeof(w->theirs));
    } else {
        w->bytes = l->inbox;
        w->len = l->inbox_len;
        l->inbox = NULL;
        l->inbox_len = 0;
    }
    l->work = w;
    l->work_due = false;
    l->busy = true;
    return w;
}

static void take_back(struct link *l, struct link_work *w)
{
    l->busy = false;
    l->channel = w->channel;
    w->channel = NULL;
    l->offer = w->offer;
    w->offer = NULL;
    l->keyable = w->kind == LINK_WORK_ROOT;
    if (!w->ran)
        link_fail(l, ERR_CLOSED, "the handshake was given up");
    else if (w->err && !l->keyable)
        link_fail_channel(l, w->err);
}

void link_use_up_work(struct link *l)
{
    link_work_free(l->work);
    l->work = NULL;
}

struct link *link_worked(struct link_work *w)
{
    struct link *l = w->link;
    if (!l) {
        link_work_free(w);
        return NULL;
    }
    take_back(l, w);
    if (!l->keyable && !l->offer)
        link_use_up_work(l);
    if (!l->inbox_len || l->error)
        return l;
    l->work_due = l->state == LINK_STATE_SECURING && !channel_established(l->channel);
    if (!l->work_due) {
        feed(l, l->inbox, l->inbox_len);
        drop_inbox(l);
    }
    return l;
}

void link_drop_work(struct link *l)
{
    if (l->busy)
        l->work->link = NULL;
    else
        link_work_free(l->work);
    l->work = NULL;
    l->busy = l->work_due = l->keyable = false;
    drop_inbox(l);
}
