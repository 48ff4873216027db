/* SPDX-License-Identifier: Apache-2.0 */
/* Open requests by their tokens. A helper is believed in nothing: what is no message, or no answer to a request that is
 * open, closes its channel for good. */
#include "node/helper/helper_client.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/helper/helper_channel.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_US (30 * USEC_PER_SEC)
#define CHECK_MS    1000
#define TELL_US     (60 * USEC_PER_SEC)

struct open_request {
    uint32_t token; /* 0: free */
    uint64_t until_us;
    helper_answered *answered;
    void *context;
};

struct helper_client {
    struct helper_client_config config;
    int fd; /* -1: it is gone for good */
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles;
    uint32_t last_token;
    struct open_request open[HELPER_CLIENT_OPEN_MAX];
    struct log_limit ended, unable_told; /* that a process ended, that no other one starts */
    struct helper_packet packet;
};

static struct open_request *find(struct helper_client *c, uint32_t token)
{
    for (unsigned i = 0; i < HELPER_CLIENT_OPEN_MAX; i++)
        if (c->open[i].token == token)
            return &c->open[i];
    return NULL;
}

/* The place is free before the callback, which may ask again. */
static void answer(struct open_request *r, const struct helper_message *m)
{
    struct open_request done = *r;
    *r = (struct open_request){0};
    done.answered(done.context, m);
}

static void answer_none(struct helper_client *c, uint64_t asked_until_us)
{
    for (unsigned i = 0; i < HELPER_CLIENT_OPEN_MAX; i++)
        if (c->open[i].token && c->open[i].until_us <= asked_until_us)
            answer(&c->open[i], NULL);
}

static void on_closed(uv_handle_t *handle)
{
    struct helper_client *c = handle->data;
    if (--c->handles == 0)
        free(c);
}

static void give_up(struct helper_client *c, const char *why)
{
    log_error("%s: its process %s: restart the node", c->config.title, why);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    close(c->fd);
    c->fd = -1;
    answer_none(c, TIME_NEVER);
}

static void tell_ended(struct helper_client *c, const char *how)
{
    uint64_t withheld;
    if (!log_limit_pass(&c->ended, clock_monotonic_us(), TELL_US, &withheld))
        return;
    if (withheld)
        log_warn("%s: its process ended (%s), for the %lluth time in a row: another one is started",
                 c->config.title, how, (unsigned long long)withheld + 1);
    else
        log_warn("%s: its process ended (%s): another one is started", c->config.title, how);
}

static void tell_unable(struct helper_client *c, const char *why)
{
    uint64_t withheld;
    if (log_limit_pass(&c->unable_told, clock_monotonic_us(), TELL_US, &withheld))
        log_warn("%s: its process does not start: %s", c->config.title, why);
}

static void on_message(struct helper_client *c, const struct helper_message *m)
{
    struct open_request *r = m->token ? find(c, m->token) : NULL;
    switch (m->kind) {
    case HELPER_READY:
        return;
    case HELPER_UNABLE:
        tell_unable(c, m->text);
        return;
    case HELPER_ENDED:
        tell_ended(c, m->text);
        answer_none(c, TIME_NEVER);
        return;
    case HELPER_NAME:
    case HELPER_BACKBONE:
        if (r)
            answer(r, m);
        return;
    case HELPER_ASK_NAME:
    case HELPER_ASK_INFO:
    case HELPER_ASK_CHALLENGE:
    case HELPER_ASK_REGISTER:
    case HELPER_ASK_RECORD:
        give_up(c, "answers with a question");
        return;
    case HELPER_UPLINK_READY:
    case HELPER_UPLINK_OPEN:
    case HELPER_UPLINK_CLOSED:
    case HELPER_UPLINK_DROPPED:
    case HELPER_UPLINK_CONNECT:
    case HELPER_UPLINK_CHECK:
    case HELPER_UPLINK_LEAVE:
        give_up(c, "speaks of the uplink on another channel than its own");
        return;
    case HELPER_PORTMAP_ASK:
    case HELPER_PORTMAP:
        give_up(c, "speaks of port mappings on another channel than its own");
        return;
    case HELPER_NAMES_SOME:
    case HELPER_NAMES_SET:
    case HELPER_NAMES_HELD:
        give_up(c, "speaks of names on another channel than its own");
        return;
    case HELPER_DOORS_OPEN:
    case HELPER_DOORS_LISTEN:
    case HELPER_DOORS_COUNTS:
        give_up(c, "speaks of doors on another channel than its own");
        return;
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct helper_client *c = poll->data;
    (void)status, (void)events;
    int err = helper_channel_receive(c->fd, &c->packet);
    if (err == ERR_AGAIN)
        return;
    if (err == ERR_CLOSED)
        give_up(c, "ended, and so did the one that would start another");
    else if (err)
        give_up(c, "sends what is no message");
    else
        on_message(c, &c->packet.message);
}

static void on_timer(uv_timer_t *timer)
{
    struct helper_client *c = timer->data;
    bool any = false;
    answer_none(c, clock_monotonic_us());
    for (unsigned i = 0; i < HELPER_CLIENT_OPEN_MAX; i++)
        any |= c->open[i].token != 0;
    if (!any)
        uv_timer_stop(timer);
}

int helper_client_new(const struct helper_client_config *config, int fd, struct helper_client **out)
{
    struct helper_client *c = calloc(1, sizeof(*c));
    if (!c) {
        close(fd);
        return ERR_NOMEM;
    }
    c->config = *config;
    c->fd = fd;
    uv_poll_init(config->loop, &c->poll, fd);
    uv_timer_init(config->loop, &c->timer);
    c->poll.data = c->timer.data = c;
    c->handles = 2;
    uv_poll_start(&c->poll, UV_READABLE, on_readable);
    *out = c;
    return 0;
}

static uint32_t next_token(struct helper_client *c)
{
    do
        c->last_token++;
    while (c->last_token == 0 || find(c, c->last_token));
    return c->last_token;
}

int helper_client_ask(struct helper_client *c, struct helper_message *ask, helper_answered *answered,
                      void *context)
{
    struct open_request *r = find(c, 0);
    if (c->fd < 0)
        return ERR_CLOSED;
    if (!r)
        return ERR_AGAIN;
    ask->token = next_token(c);
    int err = helper_channel_send(c->fd, ask);
    if (err)
        return err;
    *r = (struct open_request){ask->token, clock_monotonic_us() + PATIENCE_US, answered, context};
    if (!uv_is_active((uv_handle_t *)&c->timer))
        uv_timer_start(&c->timer, on_timer, CHECK_MS, CHECK_MS);
    return 0;
}

void helper_client_forget(struct helper_client *c, const void *context)
{
    for (unsigned i = 0; i < HELPER_CLIENT_OPEN_MAX; i++)
        if (c->open[i].token && c->open[i].context == context)
            c->open[i] = (struct open_request){0};
}

void helper_client_close(struct helper_client *c)
{
    if (!c)
        return;
    memset(c->open, 0, sizeof(c->open));
    if (c->fd >= 0) {
        uv_close((uv_handle_t *)&c->poll, on_closed);
        close(c->fd);
        c->fd = -1;
    }
    uv_close((uv_handle_t *)&c->timer, on_closed);
}
