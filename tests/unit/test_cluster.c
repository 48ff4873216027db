/* SPDX-License-Identifier: Apache-2.0 */
/* What an instance says to a store of the test's, which answers when the test wants. */

#include "backbone/cluster.h"

#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOW_S  1800000000ull
#define NOW_US (1000 * USEC_PER_SEC)

/* The store: what it was last asked, and whom it is to answer. */
static struct fake {
    struct store store;
    unsigned beats, links, waiting;
    struct store_beat beat;
    store_heard_done *heard;
    void *heard_context;
    struct told {
        store_done *done;
        void *context;
        struct node_id id;
        bool on;
    } told[2 * CLUSTER_NEWS];
} fake;

static void fake_beat(struct store *s, const struct store_beat *mine, store_heard_done *done, void *context)
{
    (void)s;
    fake.beats++;
    fake.beat = *mine;
    fake.heard = done;
    fake.heard_context = context;
}

static void fake_link(struct store *s, const struct node_id *id, const char *instance, bool on,
                      store_done *done, void *context)
{
    (void)s;
    assert_string_equal(instance, fake.beat.instance);
    assert_true(fake.waiting < 2 * CLUSTER_NEWS);
    fake.links++;
    fake.told[fake.waiting++] = (struct told){done, context, *id, on};
}

static const struct store_ops ops = {.beat = fake_beat, .link = fake_link};
static struct cluster *cluster;
static struct presence *presence;
static struct challenge_keys keys;
static struct store_metrics metrics;

static int setup(void **state)
{
    (void)state;
    fake = (struct fake){.store = {&ops}};
    metrics = (struct store_metrics){0};
    challenge_keys_init(&keys, NOW_S);
    const struct cluster_config config = {&fake.store, &keys, NULL, &metrics, "https://b1.example"};
    struct cluster_config with = config;
    int err = presence_new(&presence);
    with.presence = presence;
    return err || cluster_new(&with, &cluster);
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < fake.waiting; i++)
        fake.told[i].done(fake.told[i].context, ERR_IO, 0);
    cluster_free(cluster);
    presence_free(presence);
    return 0;
}

/* Two instances live, and the keys are of one byte. */
static void hear(const char *generation, uint8_t key)
{
    struct store_heard h = {
        .hour = fake.beat.hour, .count = 2, .urls = {"https://b1.example", "https://b2.example"}};
    strcpy(h.generation, generation);
    memset(h.keys, key, sizeof(h.keys));
    store_heard_done *done = fake.heard;
    fake.heard = NULL;
    done(fake.heard_context, 0, &h);
}

static void fail_to_hear(void)
{
    store_heard_done *done = fake.heard;
    fake.heard = NULL;
    done(fake.heard_context, ERR_IO, NULL);
}

static void answer_links(int err)
{
    unsigned count = fake.waiting;
    struct told told[2 * CLUSTER_NEWS];
    memcpy(told, fake.told, sizeof(told));
    fake.waiting = 0;
    for (unsigned i = 0; i < count; i++)
        told[i].done(told[i].context, err, 0);
}

static struct node_id id_of(unsigned number)
{
    return (struct node_id){{(uint8_t)(number >> 8), (uint8_t)number}};
}

static void set(unsigned number, bool on)
{
    const struct node_id id = id_of(number);
    presence_set(presence, &id, on);
}

static void it_says_that_it_lives_and_takes_what_all_agreed_on(void **state)
{
    (void)state;
    uint8_t proposed[sizeof(keys.keys)], agreed[sizeof(keys.keys)];
    memcpy(proposed, keys.keys, sizeof(proposed));
    memset(agreed, 7, sizeof(agreed));
    assert_int_equal(cluster_heard(cluster)->count, 0);
    assert_int_equal(cluster_turn(cluster, NOW_US, NOW_S), NOW_US + CLUSTER_BEAT_US);
    assert_int_equal(fake.beats, 1);
    assert_string_equal(fake.beat.url, "https://b1.example");
    assert_memory_equal(fake.beat.keys, proposed, sizeof(proposed));
    (void)cluster_turn(cluster, NOW_US + CLUSTER_BEAT_US, NOW_S);
    assert_int_equal(fake.beats, 1); /* the first was not answered yet */
    hear("g1", 7);
    assert_memory_equal(keys.keys, agreed, sizeof(agreed));
    assert_int_equal(cluster_heard(cluster)->count, 2);
    assert_int_equal(metrics.instances, 2);
    (void)cluster_turn(cluster, NOW_US + CLUSTER_BEAT_US, NOW_S);
    assert_int_equal(fake.beats, 2);
    assert_memory_equal(fake.beat.keys, agreed, sizeof(agreed)); /* what a store has lost comes back to it */
}

static void keys_of_another_hour_are_not_mixed_in(void **state)
{
    (void)state;
    struct challenge_keys before;
    (void)cluster_turn(cluster, NOW_US, NOW_S);
    challenge_keys_turn(&keys, NOW_S + 3600); /* while the answer was on its way */
    before = keys;
    hear("g1", 7);
    assert_memory_equal(&keys, &before, sizeof(keys));
}

static void uplinks_are_told_once_somebody_listens(void **state)
{
    (void)state;
    set(1, true);
    (void)cluster_turn(cluster, NOW_US, NOW_S);
    assert_int_equal(fake.links, 0);
    hear("g1", 7);
    (void)cluster_turn(cluster, NOW_US + 1, NOW_S);
    assert_int_equal(fake.links, 1);
    answer_links(0);
    set(1, false);
    (void)cluster_turn(cluster, NOW_US + 2, NOW_S);
    assert_int_equal(fake.links, 2);
    assert_false(fake.told[0].on);
}

static void what_fails_waits_for_the_next_beat_that_does_not(void **state)
{
    (void)state;
    (void)cluster_turn(cluster, NOW_US, NOW_S);
    hear("g1", 7);
    set(1, true);
    set(2, false);
    (void)cluster_turn(cluster, NOW_US + 1, NOW_S);
    assert_int_equal(fake.links, 2);
    answer_links(ERR_IO);
    (void)cluster_turn(cluster, NOW_US + 2, NOW_S);
    assert_int_equal(fake.links, 2);
    (void)cluster_turn(cluster, NOW_US + CLUSTER_BEAT_US, NOW_S);
    fail_to_hear();
    (void)cluster_turn(cluster, NOW_US + CLUSTER_BEAT_US + 1, NOW_S);
    assert_int_equal(fake.links, 2);
    (void)cluster_turn(cluster, clock_monotonic_us() + USEC_PER_SEC, NOW_S);
    hear("g1", 7);
    (void)cluster_turn(cluster, NOW_US + 3, NOW_S);
    assert_int_equal(fake.links, 4);
}

static void store_that_lost_what_it_held_is_told_all_anew(void **state)
{
    (void)state;
    (void)cluster_turn(cluster, NOW_US, NOW_S);
    hear("g1", 7);
    for (unsigned i = 0; i < 10; i++)
        set(i, true);
    (void)cluster_turn(cluster, NOW_US, NOW_S);
    answer_links(0);
    (void)cluster_turn(cluster, NOW_US + CLUSTER_BEAT_US, NOW_S);
    hear("g2", 7);
    (void)cluster_turn(cluster, NOW_US + CLUSTER_BEAT_US, NOW_S);
    assert_int_equal(fake.links, 20);
}

static void news_on_their_way_are_bounded(void **state)
{
    (void)state;
    (void)cluster_turn(cluster, NOW_US, NOW_S);
    hear("g1", 7);
    for (unsigned i = 0; i < 3 * CLUSTER_NEWS; i++)
        set(i, true);
    (void)cluster_turn(cluster, NOW_US, NOW_S);
    assert_int_equal(fake.links, CLUSTER_NEWS);
    answer_links(0);
    assert_int_equal(cluster_turn(cluster, NOW_US, NOW_S), NOW_US + CLUSTER_NEWS_US);
    assert_int_equal(fake.links, CLUSTER_NEWS);
    (void)cluster_turn(cluster, NOW_US + 10 * CLUSTER_NEWS_US, NOW_S);
    assert_int_equal(fake.links, CLUSTER_NEWS + 10);
}

static void others_are_forgotten_when_the_store_has_been_away_for_as_long_as_they_may_be_silent(void **state)
{
    (void)state;
    const uint64_t silent_us = STORE_BEAT_TTL_S * USEC_PER_SEC;
    (void)cluster_turn(cluster, NOW_US, NOW_S);
    hear("g1", 7);
    (void)cluster_turn(cluster, NOW_US + silent_us, NOW_S);
    fail_to_hear();
    assert_int_equal(cluster_heard(cluster)->count, 2);
    (void)cluster_turn(cluster, NOW_US + silent_us + 1, NOW_S);
    assert_int_equal(cluster_heard(cluster)->count, 1);
    assert_string_equal(cluster_heard(cluster)->urls[0], "https://b1.example");
    assert_string_equal(cluster_heard(cluster)->generation, "g1"); /* nodes need not register anew */
    assert_int_equal(metrics.instances, 1);
    if (!fake.heard)
        (void)cluster_turn(cluster, NOW_US + clock_monotonic_us() + USEC_PER_SEC, NOW_S);
    hear("g1", 7);
    assert_int_equal(cluster_heard(cluster)->count, 2);
}

static void who_leaves_says_so(void **state)
{
    (void)state;
    (void)cluster_turn(cluster, NOW_US, NOW_S);
    hear("g1", 7);
    cluster_leave(cluster);
    assert_string_equal(fake.beat.url, "");
    fail_to_hear();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_says_that_it_lives_and_takes_what_all_agreed_on),
        TEST(keys_of_another_hour_are_not_mixed_in),
        TEST(uplinks_are_told_once_somebody_listens),
        TEST(what_fails_waits_for_the_next_beat_that_does_not),
        TEST(store_that_lost_what_it_held_is_told_all_anew),
        TEST(news_on_their_way_are_bounded),
        TEST(others_are_forgotten_when_the_store_has_been_away_for_as_long_as_they_may_be_silent),
        TEST(who_leaves_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
