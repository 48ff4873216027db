/* SPDX-License-Identifier: Apache-2.0 */
/* The ratchet's state machine and the life of every session of one link. Control thread.
 * docs/PROTOCOL.md §12. */

#include "proto/link/keychain.h"

#include "base/clock.h"
#include "base/vault.h"
#include "crypto/ratchet.h"
#include "crypto/secret.h"
#include <stdlib.h>

#define REPEAT_FIRST_US 250000ull
#define REPEAT_MAX_US   2000000ull

struct epoch {
    struct session *session;
    uint64_t born_us;
    uint64_t drop_at_us; /* of an old one; TIME_NEVER until the peer is known to use its successor */
};

enum keychain_state { KEYCHAIN_IDLE, KEYCHAIN_OFFERED, KEYCHAIN_ANSWERED };

/* Of a step that is not over. */
struct exchange {
    enum message_type type;           /* of the offer or answer to repeat … */
    struct message_ratchet last;      /* … and what it says */
    uint8_t offer[RATCHET_OFFER_LEN]; /* ANSWERED: what is answered */
};

struct keychain {
    struct keychain_config config;
    struct keychain_ops ops;
    enum keychain_state state;
    bool peer_ready;
    uint32_t step; /* of current; next is step + 1 */
    uint8_t root[KDF_LEN], next_root[KDF_LEN];
    struct epoch current, next; /* next: ANSWERED only, receives but does not send yet */
    struct epoch old[KEYCHAIN_OLD_MAX];
    unsigned old_count;
    struct ratchet_offer *offer; /* OFFERED: our ephemeral keys */
    uint32_t offer_index;        /* OFFERED: the receiver index that we offered; else 0 */
    struct exchange *exchange;   /* NULL in IDLE */
    uint64_t repeat_at_us, repeat_us;
    uint64_t cool_at_us; /* TIME_NEVER: no lane has anything of its own */
};

static int make_session(struct keychain *k, const uint8_t root[KDF_LEN], uint32_t rx_index, uint32_t tx_index,
                        uint64_t now_us, struct epoch *out)
{
    const struct session_config config = {.suite = k->config.suite,
                                          .tx_lanes = k->config.tx_lanes,
                                          .rx_lanes = k->config.rx_lanes,
                                          .sparse = k->config.sparse,
                                          .rx_index = rx_index,
                                          .tx_index = tx_index,
                                          .initiator = k->config.opener,
                                          .peer_slot = k->config.peer_slot};
    struct session *s = NULL;
    int err = session_new(&config, root, &s);
    if (err)
        return err;
    err = k->ops.session_added(k->ops.context, s);
    if (err) {
        session_free(s);
        return err;
    }
    if (k->current.session)
        session_warm_as(s, k->current.session);
    *out = (struct epoch){.session = s, .born_us = now_us, .drop_at_us = TIME_NEVER};
    return 0;
}

static void drop_epoch(struct keychain *k, struct epoch *e)
{
    if (e->session)
        k->ops.session_dropped(k->ops.context, e->session);
    *e = (struct epoch){0};
}

int keychain_new(const struct keychain_config *config, const struct keychain_ops *ops,
                 const uint8_t root[KDF_LEN], uint32_t rx_index, uint32_t tx_index, uint64_t now_us,
                 struct keychain **out)
{
    struct keychain *k = vault_alloc(sizeof(*k));
    if (!k)
        return ERR_NOMEM;
    k->config = *config;
    k->ops = *ops;
    k->cool_at_us = TIME_NEVER;
    memcpy(k->root, root, KDF_LEN);
    int err = make_session(k, root, rx_index, tx_index, now_us, &k->current);
    if (err) {
        vault_free(k);
        return err;
    }
    *out = k;
    return 0;
}

static void end_step(struct keychain *k)
{
    k->state = KEYCHAIN_IDLE;
    ratchet_offer_free(k->offer);
    k->offer = NULL;
    free(k->exchange);
    k->exchange = NULL;
    if (k->offer_index)
        k->ops.release_index(k->ops.context, k->offer_index);
    k->offer_index = 0;
    k->repeat_at_us = 0;
    secret_wipe(k->next_root, sizeof(k->next_root));
}

void keychain_free(struct keychain *k)
{
    if (!k)
        return;
    end_step(k);
    drop_epoch(k, &k->current);
    drop_epoch(k, &k->next);
    for (unsigned i = 0; i < k->old_count; i++)
        drop_epoch(k, &k->old[i]);
    vault_free(k);
}

void keychain_peer_ready(struct keychain *k, uint64_t now_us)
{
    k->peer_ready = true;
    k->current.born_us = now_us;
    k->ops.send_changed(k->ops.context);
}

struct session *keychain_send_session(const struct keychain *k)
{
    return k->peer_ready ? k->current.session : NULL;
}

void keychain_stop_sealing(struct keychain *k)
{
    session_stop_sealing(k->current.session);
    if (k->next.session)
        session_stop_sealing(k->next.session);
}

size_t keychain_sessions(const struct keychain *k, struct session **out, size_t cap)
{
    size_t n = 0;
    if (k->current.session && n < cap)
        out[n++] = k->current.session;
    if (k->next.session && n < cap)
        out[n++] = k->next.session;
    for (unsigned i = 0; i < k->old_count && n < cap; i++)
        out[n++] = k->old[i].session;
    return n;
}

static bool has_received(const struct epoch *e)
{
    struct session_stats stats;
    session_stats(e->session, &stats);
    return stats.rx_datagrams + stats.rx_control > 0;
}

/* The successor takes over sending; the present key stays for receiving. */
static void advance(struct keychain *k, struct epoch *successor, const uint8_t root[KDF_LEN])
{
    if (k->old_count == KEYCHAIN_OLD_MAX) {
        drop_epoch(k, &k->old[0]);
        memmove(&k->old[0], &k->old[1], (KEYCHAIN_OLD_MAX - 1) * sizeof(k->old[0]));
        k->old_count--;
    }
    k->old[k->old_count++] = k->current;
    k->current = *successor;
    memmove(k->root, root, KDF_LEN);
    k->step++;
    *successor = (struct epoch){0};
    end_step(k);
    k->ops.send_changed(k->ops.context);
}

static void repeat_from(struct keychain *k, uint64_t now_us)
{
    k->repeat_us = REPEAT_FIRST_US;
    k->repeat_at_us = now_us + k->repeat_us;
}

static void send_last(struct keychain *k)
{
    const struct message m = {.type = k->exchange->type, .ratchet = k->exchange->last};
    k->ops.send_control(k->ops.context, k->current.session, &m);
}

static void make_offer(struct keychain *k, uint64_t now_us)
{
    struct exchange *x = k->exchange = calloc(1, sizeof(*x));
    k->offer_index = x ? k->ops.reserve_index(k->ops.context) : 0;
    if (!k->offer_index || ratchet_offer_new(&k->offer, x->last.key)) {
        /* Out of memory or randomness: the key is good for a while yet, so try again later. */
        end_step(k);
        k->repeat_at_us = now_us + REPEAT_MAX_US;
        return;
    }
    x->type = MESSAGE_RATCHET_OFFER;
    x->last.step = k->step + 1;
    x->last.receiver_index = k->offer_index;
    k->state = KEYCHAIN_OFFERED;
    repeat_from(k, now_us);
    send_last(k);
}

/* When the next step may be taken, whoever asks for it. */
static uint64_t least_us(const struct keychain *k)
{
    return k->current.born_us + k->config.ratchet_us / KEYCHAIN_LEAST_PART;
}

static void on_offer(struct keychain *k, const struct message *m, uint64_t now_us)
{
    bool repeated = k->state == KEYCHAIN_ANSWERED && m->ratchet.step == k->step + 1 &&
                    memcmp(m->ratchet.key, k->exchange->offer, RATCHET_OFFER_LEN) == 0;
    if (repeated) {
        send_last(k);
        return;
    }
    if (k->state == KEYCHAIN_ANSWERED || m->ratchet.step != k->step + 1 || now_us < least_us(k))
        return;
    if (k->state == KEYCHAIN_OFFERED) {
        if (k->config.opener)
            return; /* both offered at once: the opener's stands */
        end_step(k);
    }
    struct exchange *x = calloc(1, sizeof(*x));
    uint32_t index = x ? k->ops.reserve_index(k->ops.context) : 0;
    if (!index || ratchet_answer(m->ratchet.key, k->root, x->last.key, k->next_root) ||
        make_session(k, k->next_root, index, m->ratchet.receiver_index, now_us, &k->next)) {
        if (index)
            k->ops.release_index(k->ops.context, index);
        free(x);
        return;
    }
    x->type = MESSAGE_RATCHET_ANSWER;
    x->last.step = m->ratchet.step;
    x->last.receiver_index = index;
    memcpy(x->offer, m->ratchet.key, RATCHET_OFFER_LEN);
    k->exchange = x;
    k->state = KEYCHAIN_ANSWERED;
    repeat_from(k, now_us);
    send_last(k);
}

static void send_done(struct keychain *k)
{
    struct message done = {.type = MESSAGE_RATCHET_DONE};
    done.ratchet.step = k->step;
    k->ops.send_control(k->ops.context, k->current.session, &done);
}

static void on_answer(struct keychain *k, const struct session *s, const struct message *m, uint64_t now_us)
{
    if (k->state == KEYCHAIN_IDLE && m->ratchet.step == k->step) {
        send_done(k); /* the last one was lost: the peer repeats its answer under the old key */
        return;
    }
    if (s != k->current.session || k->state != KEYCHAIN_OFFERED || m->ratchet.step != k->step + 1)
        return;
    if (ratchet_finish(k->offer, m->ratchet.key, k->root, k->next_root))
        return;
    struct epoch successor;
    if (make_session(k, k->next_root, k->offer_index, m->ratchet.receiver_index, now_us, &successor))
        return;
    k->offer_index = 0; /* the session has it now */
    uint8_t root[KDF_LEN];
    memcpy(root, k->next_root, KDF_LEN);
    advance(k, &successor, root);
    secret_wipe(root, sizeof(root));
    send_done(k);
}

static void confirm_next(struct keychain *k)
{
    uint8_t root[KDF_LEN];
    memcpy(root, k->next_root, KDF_LEN);
    advance(k, &k->next, root);
    secret_wipe(root, sizeof(root));
}

void keychain_on_received(struct keychain *k, const struct session *s, uint64_t now_us)
{
    if (k->state == KEYCHAIN_ANSWERED && s == k->next.session) {
        k->next.born_us = now_us;
        confirm_next(k);
    }
}

void keychain_on_message(struct keychain *k, const struct session *s, const struct message *m,
                         uint64_t now_us)
{
    /* Only the present key may change keys: an old one that leaked must not. */
    if (m->type == MESSAGE_RATCHET_OFFER && s == k->current.session)
        on_offer(k, m, now_us);
    else if (m->type == MESSAGE_RATCHET_ANSWER)
        on_answer(k, s, m, now_us);
}

/* ---- lanes ---- */

static bool is_warm(const struct epoch *e)
{
    return e->session && session_is_warm(e->session);
}

static void look_again(struct keychain *k, uint64_t now_us)
{
    k->cool_at_us = is_warm(&k->current) || is_warm(&k->next) ? now_us + KEYCHAIN_COOL_US : TIME_NEVER;
}

void keychain_warm(struct keychain *k, uint64_t now_us)
{
    struct session *list[KEYCHAIN_OLD_MAX + 2];
    size_t count = keychain_sessions(k, list, KEYCHAIN_OLD_MAX + 2);
    for (size_t i = 0; i < count; i++)
        session_warm(list[i]);
    if (k->cool_at_us == TIME_NEVER)
        look_again(k, now_us);
}

bool keychain_is_warm(const struct keychain *k)
{
    return k->cool_at_us != TIME_NEVER;
}

static void cool_when_due(struct keychain *k, uint64_t now_us)
{
    if (now_us < k->cool_at_us)
        return;
    k->ops.cool(k->ops.context, k->current.session);
    if (k->next.session)
        k->ops.cool(k->ops.context, k->next.session);
    look_again(k, now_us);
}

/* ---- timers ---- */

/* The opener is a little sooner, so that offers seldom cross. */
static uint64_t due_us(const struct keychain *k)
{
    uint64_t later = k->config.opener ? 0 : k->config.ratchet_us / 8;
    return k->current.born_us + k->config.ratchet_us + later;
}

static bool step_is_due(const struct keychain *k, uint64_t now_us)
{
    /* The peer has to be known to use the present key before the next one may be offered. */
    if (k->state != KEYCHAIN_IDLE || !k->peer_ready || !has_received(&k->current) || now_us < k->repeat_at_us)
        return false;
    if (now_us >= due_us(k))
        return true;
    struct session_stats stats;
    session_stats(k->current.session, &stats);
    return stats.soft_limit && now_us >= least_us(k);
}

static void repeat_when_due(struct keychain *k, uint64_t now_us)
{
    if (k->state == KEYCHAIN_IDLE || now_us < k->repeat_at_us)
        return;
    k->repeat_us = k->repeat_us * 2 > REPEAT_MAX_US ? REPEAT_MAX_US : k->repeat_us * 2;
    k->repeat_at_us = now_us + k->repeat_us;
    send_last(k);
}

static void drop_old(struct keychain *k, uint64_t now_us)
{
    bool succeeded = k->old_count > 0 && has_received(&k->current);
    unsigned kept = 0;
    for (unsigned i = 0; i < k->old_count; i++) {
        if (succeeded && k->old[i].drop_at_us == TIME_NEVER)
            k->old[i].drop_at_us = now_us + KEYCHAIN_OLD_KEEP_US;
        if (k->old[i].drop_at_us <= now_us)
            drop_epoch(k, &k->old[i]);
        else
            k->old[kept++] = k->old[i];
    }
    k->old_count = kept;
}

static uint64_t spent_us(const struct keychain *k)
{
    return k->current.born_us + k->config.ratchet_us + KEYCHAIN_GRACE_US;
}

static void retire_when_spent(struct keychain *k, uint64_t now_us)
{
    if (!k->peer_ready || now_us < spent_us(k))
        return;
    session_stop_sealing(k->current.session);
    k->peer_ready = false;
    k->ops.send_changed(k->ops.context);
}

void keychain_tick(struct keychain *k, uint64_t now_us)
{
    if (k->state == KEYCHAIN_ANSWERED && has_received(&k->next)) {
        k->next.born_us = now_us;
        confirm_next(k);
    }
    if (step_is_due(k, now_us))
        make_offer(k, now_us);
    repeat_when_due(k, now_us);
    drop_old(k, now_us);
    cool_when_due(k, now_us);
    retire_when_spent(k, now_us);
}

uint64_t keychain_next_deadline(const struct keychain *k)
{
    uint64_t at = k->state == KEYCHAIN_IDLE ? due_us(k) : k->repeat_at_us;
    if (k->peer_ready && spent_us(k) < at)
        at = spent_us(k);
    if (k->cool_at_us < at)
        at = k->cool_at_us;
    for (unsigned i = 0; i < k->old_count; i++)
        if (k->old[i].drop_at_us < at)
            at = k->old[i].drop_at_us;
    return at;
}

uint32_t keychain_steps(const struct keychain *k)
{
    return k->step;
}

uint64_t keychain_last_step_us(const struct keychain *k)
{
    return k->current.born_us;
}
