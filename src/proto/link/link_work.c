/* SPDX-License-Identifier: Apache-2.0 */
/* The costly part of a handshake: key exchange, signatures, and the ratchet step of the first root. docs/PROTOCOL.md §6.
 * link_work_run: any thread. All else: control thread. */

#include "proto/link/link_work.h"

#include "base/vault.h"
#include "crypto/secret.h"
#include "proto/link/link_impl.h"
#include <stdlib.h>

struct link_work *link_work_new(struct link *l, enum link_work_kind kind)
{
    struct link_work *w = vault_alloc(sizeof(*w));
    if (!w)
        return NULL;
    memset(w, 0, sizeof(*w));
    w->link = l;
    w->kind = kind;
    w->opener = l->opener;
    return w;
}

void link_work_free(struct link_work *w)
{
    if (!w)
        return;
    channel_free(w->channel);
    ratchet_offer_free(w->offer);
    free(w->bytes);
    vault_free(w);
}

bool link_work_is_wanted(const struct link_work *w)
{
    return w->link != NULL;
}

struct link_work **link_work_next(struct link_work *w)
{
    return &w->next;
}

/* The opener's HELLO comes next, and its offer is as costly as the rest. Without one it cannot be said. */
static int secure(struct link_work *w)
{
    int err = channel_feed(w->channel, w->bytes, w->len);
    if (!err && w->opener && channel_established(w->channel))
        (void)!ratchet_offer_new(&w->offer, w->ours);
    return err;
}

/* TLS keeps the exporter's secret as long as the connection lives, so what comes from it alone could be computed
 * again from stolen memory. A ratchet step over it, whose private keys are gone right after, could not. */
static int make_root(struct link_work *w)
{
    uint8_t exported[KDF_LEN];
    int err = channel_root(w->channel, w->all, exported);
    if (!err && !w->fresh)
        memcpy(w->root, exported, KDF_LEN);
    else if (!err && w->opener)
        err = ratchet_finish(w->offer, w->theirs, exported, w->root);
    else if (!err)
        err = ratchet_answer(w->theirs, exported, w->ours, w->root);
    ratchet_offer_free(w->offer);
    w->offer = NULL;
    secret_wipe(exported, sizeof(exported));
    return err;
}

void link_work_run(struct link_work *w)
{
    switch (w->kind) {
    case LINK_WORK_SECURE:
        w->err = secure(w);
        break;
    case LINK_WORK_ROOT:
        w->err = make_root(w);
        break;
    }
    w->ran = true;
}
