/* SPDX-License-Identifier: Apache-2.0 */
#include "node/control/control_watch.h"

#include "base/clock.h"
#include "crypto/cert.h"
#include "node/control/control_state.h"
#include "node/network/clock_votes.h"
#include "node/network/issuer.h"
#include "proto/network/membership.h"
#include "proto/network/rolls.h"
#include <stdio.h>
#include <stdlib.h>

#define LISTS_US  (60 * USEC_PER_SEC)
#define CLOCKS_US (10 * USEC_PER_SEC) /* between two looks at members' clocks */

static void show(struct node *n, enum warning what, const char *text)
{
    warnings_set(&n->warnings, what, text, text[0] ? TIME_NEVER : 0);
}

/* At a start peers have a while to bring newer ones. */
static void watch_lists(struct node *n, uint64_t now_us)
{
    char text[WARNING_TEXT_MAX];
    bool old = now_us - n->started_us > LISTS_US && registry_is_old(n->registry, now_us, text, sizeof(text));
    if (old && !n->lists_old)
        log_warn("%s", text);
    n->lists_old = old;
    show(n, WARNING_LISTS, old ? text : "");
}

/* Nobody but the CA renews it, so a person has to. */
static void watch_issuer(struct node *n, uint64_t now_us)
{
    const struct issuer *is = network_issuer(n->network);
    char text[WARNING_TEXT_MAX], span[LIFE_SPAN_MAX];
    uint64_t now_s = membership_now(network_membership(n->network), now_us);
    if (!is)
        return;
    unsigned spent = life_spent(issuer_cert(is), now_s);
    uint64_t left_s = life_left_s(issuer_cert(is), now_s);
    snprintf(text, sizeof(text),
             "this node's certificate as an issuer %s%s: `shadowmesh ca renew %s`, by the key of the "
             "network's CA, "
             "gives it another",
             left_s ? "ends in " : "has expired", left_s ? life_span(left_s, span) : "", n->config->network);
    if (!life_is_shown(spent)) /* of the next one all is news again */
        n->issuer_life = (struct life){0};
    if (life_is_news(&n->issuer_life, spent))
        log_warn("network %s: %s", n->config->network, text);
    show(n, WARNING_ISSUER, life_is_shown(spent) ? text : "");
}

/* What is signed later than now tells as much as all members' clocks. *agree of *count say so. */
static int64_t clock_off(const struct node *n, uint64_t now_us, unsigned *agree, unsigned *count)
{
    const struct membership *ms = network_membership(n->network);
    const struct rolls *rolls = registry_rolls(n->registry);
    struct clock_votes votes = {.count = 0};
    *count = votes.count = mesh_clocks(n->mesh, now_us, votes.ahead_s, CLOCK_VOTES_MAX);
    int64_t off_s = clock_votes_off(&votes, agree);
    int64_t before_s =
        (int64_t)membership_clock(ms, now_us) - (int64_t)rolls_signed_at(rolls, &membership_me(ms)->issuer);
    if (off_s || before_s >= -CLOCK_VOTES_OFF)
        return off_s;
    *agree = *count = 0;
    return before_s;
}

static void watch_clock(struct node *n, uint64_t now_us)
{
    char text[WARNING_TEXT_MAX] = "", span[LIFE_SPAN_MAX], by[64] = "what its network's issuers signed";
    unsigned agree, count;
    if (n->clocks_us && now_us - n->clocks_us < CLOCKS_US)
        return;
    n->clocks_us = now_us;
    int64_t off_s = clock_off(n, now_us, &agree, &count);
    if (count == 1)
        snprintf(by, sizeof(by), "the only other member's that is connected");
    else if (count)
        snprintf(by, sizeof(by), "those of %u of %u members", agree, count);
    if (off_s)
        snprintf(
            text, sizeof(text),
            "this machine's clock is %s %s, by %s: set it (timedatectl set-ntp true), or certificates are "
            "refused for their time",
            life_span((uint64_t)llabs(off_s), span), off_s < 0 ? "slow" : "fast", by);
    if (off_s && !n->clock_off)
        log_warn("network %s: %s", n->config->network, text);
    else if (!off_s && n->clock_off)
        log_info("network %s: this machine's clock agrees with the others' again", n->config->network);
    n->clock_off = off_s != 0;
    show(n, WARNING_CLOCKS, text);
}

void control_watch(struct node *n, uint64_t now_us)
{
    watch_lists(n, now_us);
    watch_issuer(n, now_us);
    watch_clock(n, now_us);
    show(n, WARNING_CERTIFICATE, n->renewal ? renewal_text(n->renewal) : "");
}
