/* SPDX-License-Identifier: Apache-2.0 */
/* Issuers are asked one after the other, the last one first; then again after a pause that fits what is left. docs/PROTOCOL.md
 * §26. Control thread. */

#include "node/network/renewal.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/certfile.h"
#include "node/network/issuer.h"
#include "node/network/life.h"
#include "node/network/network_files.h"
#include "proto/mesh/mesh.h"
#include "proto/network/asking.h"
#include "proto/network/issuing.h"
#include "proto/network/membership.h"
#include "proto/network/rolls.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY_US       (8 * USEC_PER_SEC) /* for one issuer to answer */
#define PAUSE_PART   32                 /* of what is left of its life … */
#define PAUSE_MIN_US (1 * USEC_PER_SEC)
#define PAUSE_MAX_US (3600 * USEC_PER_SEC)
#define JITTER_PART  16 /* of a life: members that came together do not all come again together */

struct renewal {
    struct renewal_config config;
    struct asking *asking; /* NULL: nobody is asked */
    unsigned place;        /* the next issuer that is asked */
    uint64_t try_us;       /* when the one that is asked was */
    uint64_t next_us;      /* no sooner is one asked again */
    struct life life;      /* what of it was told */
    char reason[ASKING_REASON_MAX];
    char text[ASKING_REASON_MAX + 96];
};

int renewal_open(const struct renewal_config *config, struct renewal **out)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return ERR_NOMEM;
    (*out)->config = *config;
    return 0;
}

static void stop_asking(struct renewal *r, uint64_t now_us)
{
    if (!r->asking)
        return;
    (void)!mesh_ask(r->config.mesh, NULL, NULL, now_us);
    asking_free(r->asking);
    r->asking = NULL;
}

void renewal_close(struct renewal *r)
{
    if (!r)
        return;
    stop_asking(r, clock_monotonic_us());
    free(r);
}

const char *renewal_text(const struct renewal *r)
{
    return r->text;
}

/* ---- when ---- */

static bool is_due(const struct renewal *r, uint64_t now_s)
{
    const struct cert *me = membership_me(r->config.membership);
    uint64_t life = me->not_after - me->not_before;

    return now_s >=
           me->not_before + life / 2 + life / JITTER_PART * identity_id(r->config.me)->bytes[0] / 256;
}

static void pause(struct renewal *r, uint64_t now_us)
{
    uint64_t left_s =
        life_left_s(membership_me(r->config.membership), membership_now(r->config.membership, now_us));
    uint64_t wait_us = left_s * USEC_PER_SEC / PAUSE_PART;

    wait_us = wait_us < PAUSE_MIN_US ? PAUSE_MIN_US : wait_us > PAUSE_MAX_US ? PAUSE_MAX_US : wait_us;
    r->next_us = now_us + wait_us;
    r->place = 0;
}

/* ---- what people are told ---- */

/* At first nothing is wrong: issuers may be off for a while. */
static void tell_spent(struct renewal *r, uint64_t now_us)
{
    const struct cert *me = membership_me(r->config.membership);
    uint64_t now_s = membership_now(r->config.membership, now_us), left_s = life_left_s(me, now_s);
    char span[LIFE_SPAN_MAX];

    if (!r->reason[0])
        return;
    snprintf(r->text, sizeof(r->text), "this node's certificate %s%s and is not renewed: %s",
             left_s ? "ends in " : "has expired", left_s ? life_span(left_s, span) : "", r->reason);
    if (life_is_news(&r->life, life_spent(me, now_s)))
        log_warn("network %s: %s", r->config.network, r->text);
}

/* ---- a new one ---- */

static int put(const struct renewal *r, const char *name, struct slice der)
{
    int err = certfile_write(r->config.keydir, name, der.data, der.len);

    if (err)
        log_error(
            "cannot write %s of the node's folder: %s: at its next start this node has its last certificate",
            name, err == ERR_IO ? strerror(errno) : err_str(err));
    return err;
}

static bool is_same(struct slice a, struct slice b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* The last issuer's stays until ours is there: a stop in between leaves a chain that holds. */
static void keep(const struct renewal *r, const struct membership_chain *chain)
{
    struct slice last = membership_bytes(r->config.membership, MEMBERSHIP_ISSUER);

    if (!is_same(last, chain->issuer) &&
        (put(r, NETWORK_LAST_ISSUER_FILE, last) || put(r, CERTFILE_ISSUER, chain->issuer)))
        return;
    (void)!put(r, CERTFILE_MEMBER, chain->member);
}

static void take(struct renewal *r, const struct membership_chain *chain, uint64_t now_us)
{
    enum membership_part part;
    enum cert_verdict why;
    char span[LIFE_SPAN_MAX];

    keep(r, chain);
    if (membership_renew(r->config.membership, chain, &part, &why)) {
        log_error("network %s: the new certificate %s", r->config.network, cert_verdict_str(why));
        return;
    }
    uint64_t now_s = membership_now(r->config.membership, now_us);
    log_info("network %s: this node's certificate is renewed, for %s", r->config.network,
             life_span(life_left_s(membership_me(r->config.membership), now_s), span));
    r->reason[0] = r->text[0] = '\0';
    r->life = (struct life){0};
    mesh_on_renewed(r->config.mesh, now_us);
}

static void renew_self(struct renewal *r, struct issuer *issuer, uint64_t now_us)
{
    struct membership_chain chain = {.ca = membership_bytes(r->config.membership, MEMBERSHIP_CA),
                                     .issuer = issuer_serving(issuer)->certificate};
    int code = issuer_renew_self(issuer, now_us, &chain.member);

    if (code)
        snprintf(r->reason, sizeof(r->reason), "as an issuer, %s", issuing_refusal((enum refuse_code)code));
    else
        take(r, &chain, now_us);
}

/* ---- asking ---- */

/* The n-th of the network's issuers but our own; NULL behind the last. */
static const struct node_id *other_issuer(const struct renewal *r, unsigned n, struct node_id *out)
{
    struct message_list lists[ROLLS_LISTS_MAX];
    const struct node_id *own = membership_issuer(r->config.membership, 0);
    unsigned count = rolls_lists(r->config.rolls, lists);

    for (unsigned i = 0; i < count; i++) {
        if (lists[i].kind != LIST_ISSUER || id_compare(&lists[i].signer, own) == 0 ||
            !rolls_issuer(r->config.rolls, &lists[i].signer) || n-- > 0)
            continue;
        *out = lists[i].signer;
        return out;
    }
    return NULL;
}

static const struct node_id *issuer_at(const struct renewal *r, unsigned place, struct node_id *out)
{
    if (place == 0 || !r->config.rolls)
        return membership_issuer(r->config.membership, place);
    return other_issuer(r, place - 1, out);
}

static void ask_next(struct renewal *r, uint64_t now_us)
{
    const struct node_id *issuer;
    struct node_id other;

    if (!r->asking && asking_renew(r->config.membership, r->config.me, &r->asking))
        return;
    asking_set_clock(r->asking, membership_now(r->config.membership, now_us));
    while ((issuer = issuer_at(r, r->place, &other))) {
        r->place++;
        r->try_us = now_us;
        if (mesh_ask(r->config.mesh, issuer, r->asking, now_us) == 0)
            return;
    }
    if (!r->reason[0])
        snprintf(r->reason, sizeof(r->reason), "none of its issuers is known as a peer");
    stop_asking(r, now_us);
    pause(r, now_us);
}

void renewal_on_asked(struct renewal *r, uint64_t now_us)
{
    if (!r->asking)
        return;
    if (asking_state(r->asking) == ASKING_DONE) {
        const struct membership_chain chain = asking_chain(r->asking);
        take(r, &chain, now_us);
        stop_asking(r, now_us);
        pause(r, now_us);
    } else if (asking_state(r->asking) == ASKING_REFUSED) {
        snprintf(r->reason, sizeof(r->reason), "an issuer said: %s", asking_reason(r->asking));
        ask_next(r, now_us);
    }
}

static void wait_for_answer(struct renewal *r, uint64_t now_us)
{
    renewal_on_asked(r, now_us); /* a word about it may be lost */
    if (!r->asking || now_us - r->try_us < TRY_US)
        return;
    snprintf(r->reason, sizeof(r->reason), "no issuer answers");
    ask_next(r, now_us);
}

void renewal_tick(struct renewal *r, struct issuer *issuer, uint64_t now_us)
{
    if (r->asking) {
        wait_for_answer(r, now_us);
    } else if (now_us >= r->next_us && is_due(r, membership_now(r->config.membership, now_us))) {
        if (issuer) {
            pause(r, now_us);
            renew_self(r, issuer, now_us);
        } else {
            ask_next(r, now_us);
        }
    }
    tell_spent(r, now_us);
}
