/* SPDX-License-Identifier: Apache-2.0 */
/* A backbone that answers requests may still refuse an uplink, as one that is full does: then nodes would come and go. So a
 * return that fails makes the next wait twice as long. */
#include "node/backbones/homing.h"

#include "crypto/secret.h"
#include "node/rendezvous/registration.h"

#include <stdlib.h>

struct homing {
    struct homing_config config;
    struct registration *look;
    uv_timer_t timer;
    bool away, looking, returning;
    unsigned failures; /* returns in vain since the last one that served */
};

static void on_timer(uv_timer_t *timer);

static void wait_on(struct homing *h)
{
    uint32_t random;
    uint64_t wait_ms = (uint64_t)h->config.wait_ms << h->failures;
    secret_random(&random, sizeof(random));
    uv_timer_start(&h->timer, on_timer, wait_ms - (wait_ms / 8 * random >> 32), 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct homing *h = timer->data;
    wait_on(h);
    if (h->looking)
        return;
    h->looking = true;
    registration_look(h->look);
}

static void on_looked(void *context, const struct registration_outcome *outcome)
{
    struct homing *h = context;
    h->looking = false;
    if (!h->away || outcome->verdict != BACKBONE_OK)
        return;
    homing_end(h);
    h->returning = true;
    h->config.answers(h->config.context);
}

int homing_new(const struct homing_config *config, const struct registration_config *at, struct homing **out)
{
    struct homing *h = calloc(1, sizeof(*h));
    if (!h)
        return ERR_NOMEM;
    h->config = *config;
    struct registration_config look = *at;
    look.done = on_looked;
    look.context = h;
    int err = registration_new(&look, &h->look);
    if (err) {
        free(h);
        return err;
    }
    uv_timer_init(at->loop, &h->timer);
    h->timer.data = h;
    *out = h;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void homing_close(struct homing *h)
{
    if (!h)
        return;
    registration_close(h->look);
    uv_close((uv_handle_t *)&h->timer, on_closed);
}

void homing_begin(struct homing *h)
{
    h->failures += h->returning && h->failures < HOMING_DOUBLED;
    h->returning = false;
    if (!h->away)
        wait_on(h);
    h->away = true;
}

void homing_end(struct homing *h)
{
    h->away = h->returning = false;
    uv_timer_stop(&h->timer);
}

void homing_arrived(struct homing *h)
{
    if (h->returning)
        h->failures = 0;
    h->returning = false;
}

bool homing_is_returning(const struct homing *h)
{
    return h->returning;
}
