/* SPDX-License-Identifier: Apache-2.0 */
/* What lanes are made of, and when. A lane has its key from the start, and is sealed and opened by the session's spare at
 * first. The control thread makes a data lane a cipher and a window of its own when it hears of that, and takes them away
 * again when they are not used. The control lane carries little, and stays with the spare. docs/PROTOCOL.md §4.
 *
 *   COLD ── used: the spare serves, control is told ── session_warm ──▶ WARM
 *     ▲                                                                  │
 *     └──────────────── session_cool: not used since the last one ───────┘
 */

#include "base/counter.h"
#include "base/vault.h"
#include "proto/session/session_impl.h"
#include <stdlib.h>

#define NOT_LOOKED UINT64_MAX /* since it is warm: it stays so until the look behind the next one */

/* ---- making ---- */

static bool has_own(const struct tx_lane *tx)
{
    return tx->aead != tx->spare;
}

static void warm_tx(struct tx_lane *tx, enum aead_suite suite)
{
    struct aead *aead;
    if (has_own(tx) || aead_new(suite, tx->key, &aead))
        return;
    tx->looked = NOT_LOOKED;
    atomic_store_explicit(&tx->aead, aead, memory_order_release);
}

static void free_opener(struct rx_opener *o)
{
    if (o)
        aead_free(o->aead);
    free(o);
}

static void warm_rx(struct rx_lane *rx, enum aead_suite suite)
{
    struct rx_opener *o = rx->opener ? NULL : calloc(1, sizeof(*o));
    if (!o || aead_new(suite, rx->key, &o->aead)) {
        free(o);
        return;
    }
    pthread_mutex_lock(&rx->held);
    replay_widen(&o->replay, &rx->narrow);
    rx->opener = o;
    pthread_mutex_unlock(&rx->held);
    rx->looked = NOT_LOOKED;
}

/* That a control lane was used wants nothing. */
static uint32_t bit_of(unsigned lane, unsigned data_lanes, unsigned shift)
{
    return lane < data_lanes ? 1u << (shift + lane) : 0;
}

int session_make_spare(struct session *s)
{
    int err = aead_shared_new(s->suite, s->tx_lanes + 1 + s->rx_lanes + 1, &s->spare);
    if (err)
        return err;
    s->wanted = aead_shared_used(s->spare);
    for (unsigned i = 0; i <= s->tx_lanes; i++)
        s->tx[i].aead = s->tx[i].spare =
            aead_shared_under(s->spare, i, s->tx[i].key, bit_of(i, s->tx_lanes, 0));
    for (unsigned i = 0; i <= s->rx_lanes; i++)
        s->rx[i].spare = aead_shared_under(s->spare, s->tx_lanes + 1 + i, s->rx[i].key,
                                           bit_of(i, s->rx_lanes, WANTED_RX_SHIFT));
    return 0;
}

static void warm(struct session *s, uint32_t lanes)
{
    for (unsigned i = 0; i < s->tx_lanes; i++)
        if (lanes & 1u << i)
            warm_tx(&s->tx[i], s->suite);
    for (unsigned i = 0; i < s->rx_lanes; i++)
        if (lanes & 1u << (WANTED_RX_SHIFT + i))
            warm_rx(&s->rx[i], s->suite);
}

void session_warm(struct session *s)
{
    uint32_t wanted = atomic_exchange_explicit(s->wanted, 0, memory_order_relaxed);
    atomic_store_explicit(&s->asked, 0, memory_order_relaxed);
    warm(s, wanted);
}

static uint32_t warm_lanes(const struct session *s)
{
    uint32_t lanes = 0;
    for (unsigned i = 0; i < s->tx_lanes; i++)
        lanes |= (uint32_t)has_own(&s->tx[i]) << i;
    for (unsigned i = 0; i < s->rx_lanes; i++)
        lanes |= (uint32_t)(s->rx[i].opener != NULL) << (WANTED_RX_SHIFT + i);
    return lanes;
}

/* Warm ones that were used since the last look, if there was one. */
static uint32_t used_lanes(const struct session *s)
{
    uint32_t lanes = warm_lanes(s);
    for (unsigned i = 0; i < s->tx_lanes; i++)
        if (counter_get(&s->tx[i].next) == s->tx[i].looked)
            lanes &= ~(1u << i);
    for (unsigned i = 0; i < s->rx_lanes; i++)
        if (s->rx[i].opener && counter_get(&s->rx[i].opener->replay.received) == s->rx[i].looked)
            lanes &= ~(1u << (WANTED_RX_SHIFT + i));
    return lanes;
}

void session_warm_as(struct session *s, const struct session *before)
{
    warm(s, used_lanes(before));
}

bool session_is_warm(const struct session *s)
{
    return warm_lanes(s) != 0;
}

/* ---- asking ---- */

bool session_asks(struct session *s)
{
    uint32_t wanted = atomic_load_explicit(s->wanted, memory_order_relaxed);
    if (wanted == atomic_load_explicit(&s->asked, memory_order_relaxed))
        return false;
    atomic_store_explicit(&s->asked, wanted, memory_order_relaxed);
    return wanted != 0;
}

void session_ask_again(struct session *s)
{
    atomic_store_explicit(&s->asked, 0, memory_order_relaxed);
}

/* ---- taking away ---- */

static void cool_rx(struct rx_lane *rx)
{
    struct rx_opener *o = rx->opener;
    uint64_t received = o ? counter_get(&o->replay.received) : 0;
    bool idle = o && received == rx->looked;
    rx->looked = received;
    if (!idle)
        return;
    pthread_mutex_lock(&rx->held);
    replay_narrow(&rx->narrow, &o->replay);
    rx->opener = NULL;
    pthread_mutex_unlock(&rx->held);
    free_opener(o);
}

static bool is_idle_tx(struct tx_lane *tx)
{
    uint64_t next = counter_get(&tx->next);
    bool idle = has_own(tx) && next == tx->looked;
    tx->looked = next;
    return idle;
}

/* With room for the ciphers of all our data lanes. */
static struct session *new_husk(const struct session *s)
{
    struct session *husk = calloc(1, sizeof(*husk));
    if (!husk)
        return NULL;
    husk->tx_lanes = s->tx_lanes;
    husk->tx = vault_alloc((s->tx_lanes + 1) * sizeof(*husk->tx));
    if (husk->tx)
        return husk;
    session_free(husk);
    return NULL;
}

struct session *session_cool(struct session *s)
{
    struct session *husk = NULL;
    for (unsigned i = 0; i < s->rx_lanes; i++)
        cool_rx(&s->rx[i]);
    for (unsigned i = 0; i < s->tx_lanes; i++) {
        if (!is_idle_tx(&s->tx[i]) || (!husk && !(husk = new_husk(s))))
            continue;
        husk->tx[i].aead = s->tx[i].aead;
        atomic_store_explicit(&s->tx[i].aead, s->tx[i].spare, memory_order_relaxed);
    }
    return husk;
}

void session_free_lanes(struct session *s)
{
    for (unsigned i = 0; s->tx && i <= s->tx_lanes; i++)
        if (has_own(&s->tx[i]))
            aead_free(s->tx[i].aead);
    for (unsigned i = 0; s->rx && i <= s->rx_lanes; i++) {
        free_opener(s->rx[i].opener);
        pthread_mutex_destroy(&s->rx[i].held);
    }
    aead_shared_free(s->spare);
    vault_free(s->tx);
    vault_free(s->rx);
}

/* received is published after highest and read before it, so that loss never seems negative. */
void session_seen(const struct rx_lane *rx, uint64_t *highest, uint64_t *received)
{
    const struct rx_opener *o = rx->opener;
    *received = atomic_load_explicit(o ? &o->replay.received : &rx->narrow.received, memory_order_acquire);
    *highest = counter_get(o ? &o->replay.highest : &rx->narrow.highest);
}
