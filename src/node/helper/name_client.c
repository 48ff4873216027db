/* SPDX-License-Identifier: Apache-2.0 */
/* One look-up in flight per name, with those who wait for it. */
#include "node/helper/name_client.h"

#include "base/clock.h"
#include "node/helper/helper_client.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_US     (1 * USEC_PER_SEC)
#define WAIT_MAX_US (60 * USEC_PER_SEC)

struct waiter {
    struct waiter *next;
    name_answered *answered;
    void *context;
};

struct lookup {
    struct name_client *owner;
    struct lookup *next;
    struct waiter *waiters;
    bool answered; /* at present: who asks now starts another one */
    char host[HELPER_TEXT_MAX];
};

struct name_client {
    struct helper_client *helper;
    struct lookup *lookups;
};

int name_client_new(struct helper_client *helper, struct name_client **out)
{
    struct name_client *c = calloc(1, sizeof(*c));
    if (!c)
        return ERR_NOMEM;
    c->helper = helper;
    *out = c;
    return 0;
}

static void take_out(struct lookup *l)
{
    struct lookup **at = &l->owner->lookups;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
}

/* Whom a callback forgets is not told, so each is taken off before it is called. */
static void on_answer(void *context, const struct helper_message *m)
{
    struct lookup *l = context;
    static const struct addr none[1];
    const char *why = m ? m->text : "the process for it broke off";
    l->answered = true;
    while (l->waiters) {
        struct waiter *w = l->waiters;
        struct waiter done = *w;
        l->waiters = w->next;
        free(w);
        done.answered(done.context, m ? m->addresses : none, m ? m->address_count : 0, why);
    }
    take_out(l);
    free(l);
}

static struct lookup *find(const struct name_client *c, const char *host)
{
    struct lookup *l = c->lookups;
    while (l && (l->answered || strcmp(l->host, host) != 0))
        l = l->next;
    return l;
}

static int start(struct name_client *c, const char *host, struct lookup **out)
{
    struct helper_message ask = {.kind = HELPER_ASK_NAME};
    struct lookup *l = strlen(host) < sizeof(ask.text) ? calloc(1, sizeof(*l)) : NULL;
    if (!l)
        return strlen(host) < sizeof(ask.text) ? ERR_NOMEM : ERR_ARGUMENT;
    strcpy(l->host, host);
    strcpy(ask.text, host);
    int err = helper_client_ask(c->helper, &ask, on_answer, l);
    if (err) {
        free(l);
        return err;
    }
    l->owner = c;
    l->next = c->lookups;
    *out = c->lookups = l;
    return 0;
}

int name_client_ask(struct name_client *c, const char *host, name_answered *answered, void *context)
{
    struct waiter *w = malloc(sizeof(*w));
    struct lookup *l = find(c, host);
    int err = w ? 0 : ERR_NOMEM;
    if (!err && !l)
        err = start(c, host, &l);
    if (err) {
        free(w);
        return err;
    }
    *w = (struct waiter){l->waiters, answered, context};
    l->waiters = w;
    return 0;
}

uint64_t name_client_wait_us(bool found, uint64_t last_us)
{
    if (found || last_us == 0)
        return WAIT_US;
    return 2 * last_us < WAIT_MAX_US ? 2 * last_us : WAIT_MAX_US;
}

void name_client_forget(struct name_client *c, const void *context)
{
    for (struct lookup *l = c->lookups; l; l = l->next) {
        struct waiter **at = &l->waiters;
        while (*at) {
            struct waiter *w = *at;
            if (w->context != context) {
                at = &w->next;
                continue;
            }
            *at = w->next;
            free(w);
        }
    }
}

static void free_lookup(struct name_client *c, struct lookup *l)
{
    helper_client_forget(c->helper, l);
    while (l->waiters) {
        struct waiter *w = l->waiters;
        l->waiters = w->next;
        free(w);
    }
    free(l);
}

void name_client_free(struct name_client *c)
{
    if (!c)
        return;
    while (c->lookups) {
        struct lookup *l = c->lookups;
        c->lookups = l->next;
        free_lookup(c, l);
    }
    free(c);
}
