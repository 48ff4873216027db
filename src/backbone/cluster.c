/* SPDX-License-Identifier: Apache-2.0 */
/* One beat every 3 s, and news of uplinks as they come. */

#include "backbone/cluster.h"

#include "base/bucket.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "crypto/secret.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_US (USEC_PER_SEC / 4) /* while the store is not there */

static const struct bucket_rate pace = {CLUSTER_NEWS_US, CLUSTER_NEWS};

/* News on its way. */
struct told {
    struct cluster *cluster;
    struct presence_news news;
};

struct cluster {
    struct cluster_config config;
    struct store_beat mine;
    struct store_heard heard;
    bool beating;     /* a beat is under way */
    bool uncertain;   /* news did not reach the store */
    unsigned telling; /* news under way */
    struct bucket pace;
    uint64_t beat_us;            /* when the next one is due */
    uint64_t asked_us, heard_us; /* when the last one was said, and the last one that was answered */
};

static void name(char out[STORE_INSTANCE_LEN + 1])
{
    uint8_t bytes[STORE_INSTANCE_LEN / 2];
    secret_random(bytes, sizeof(bytes));
    hex_encode(bytes, sizeof(bytes), out);
}

int cluster_new(const struct cluster_config *config, struct cluster **out)
{
    struct cluster *c = calloc(1, sizeof(*c));
    if (!c)
        return ERR_NOMEM;
    c->config = *config;
    name(c->mine.instance);
    snprintf(c->mine.url, sizeof(c->mine.url), "%s", config->url);
    *out = c;
    return 0;
}

void cluster_free(struct cluster *c)
{
    free(c);
}

static void on_beat(void *context, int err, const struct store_heard *heard)
{
    struct cluster *c = context;
    c->beating = false;
    if (err) {
        c->beat_us = clock_monotonic_us() + RETRY_US;
        return;
    }
    if (strcmp(heard->generation, c->heard.generation) != 0)
        presence_repeat(c->config.presence);
    c->uncertain = false;
    c->heard = *heard;
    c->heard_us = c->asked_us;
    atomic_store_explicit(&c->config.metrics->instances, heard->count, memory_order_relaxed);
    struct challenge_keys *keys = c->config.keys;
    if (keys->hour == heard->hour)
        memcpy(keys->keys, heard->keys, sizeof(keys->keys));
}

/* Keys that we have are proposed: so what a store has lost comes back to it. A generation is not, for its loss is what it
 * tells. */
static void beat(struct cluster *c, uint64_t now_us, uint64_t now_s)
{
    challenge_keys_turn(c->config.keys, now_s);
    name(c->mine.generation);
    c->mine.hour = c->config.keys->hour;
    memcpy(c->mine.keys, c->config.keys->keys, sizeof(c->mine.keys));
    c->beating = true;
    c->asked_us = now_us;
    store_beat(c->config.store, &c->mine, on_beat, c);
}

static void on_told(void *context, int err, uint64_t number)
{
    struct told *told = context;
    struct cluster *c = told->cluster;
    (void)number;
    c->telling--;
    c->uncertain |= err != 0;
    if (err)
        presence_again(c->config.presence, &told->news);
    free(told);
}

static void tell_one(struct cluster *c, const struct presence_news *news)
{
    struct told *told = malloc(sizeof(*told));
    if (!told) {
        c->uncertain = true;
        presence_again(c->config.presence, news);
        return;
    }
    *told = (struct told){c, *news};
    c->telling++;
    store_link(c->config.store, &news->id, c->mine.instance, news->on, on_told, told);
}

/* When there will be something to tell, and the rate allows it; answers that are awaited wake us. */
static uint64_t next_news(const struct cluster *c, uint64_t now_us)
{
    uint64_t due_us = presence_due(c->config.presence),
             paced_us = now_us + bucket_wait(&c->pace, &pace, 1, now_us);
    if (!c->heard.count || c->uncertain || c->telling == CLUSTER_NEWS)
        return UINT64_MAX;
    return due_us > paced_us ? due_us : paced_us;
}

/* What fails once waits for the next beat that does not. */
static void tell(struct cluster *c, uint64_t now_us)
{
    struct presence_news news;
    while (c->telling < CLUSTER_NEWS && !c->uncertain && bucket_wait(&c->pace, &pace, 1, now_us) == 0 &&
           presence_take(c->config.presence, now_us, &news)) {
        bucket_spend(&c->pace, &pace, 1, now_us);
        tell_one(c, &news);
    }
}

/* That they live we have on the store's word alone, which is too old. Its generation is what it was, as far as we know. */
static void know_nobody(struct cluster *c)
{
    c->heard.count = 1;
    snprintf(c->heard.urls[0], sizeof(c->heard.urls[0]), "%s", c->config.url);
    atomic_store_explicit(&c->config.metrics->instances, 1, memory_order_relaxed);
}

uint64_t cluster_turn(struct cluster *c, uint64_t now_us, uint64_t now_s)
{
    if (now_us >= c->beat_us && !c->beating) {
        c->beat_us = now_us + CLUSTER_BEAT_US;
        beat(c, now_us, now_s);
    }
    if (c->heard.count && now_us > c->heard_us + STORE_BEAT_TTL_S * USEC_PER_SEC)
        know_nobody(c);
    if (c->heard.count)
        tell(c, now_us);
    uint64_t news_us = next_news(c, now_us);
    return news_us < c->beat_us ? news_us : c->beat_us;
}

const struct store_heard *cluster_heard(const struct cluster *c)
{
    return &c->heard;
}

static void on_left(void *context, int err, const struct store_heard *heard)
{
    (void)context, (void)err, (void)heard;
}

void cluster_leave(struct cluster *c)
{
    c->mine.url[0] = '\0';
    store_beat(c->config.store, &c->mine, on_left, c);
}
