/* SPDX-License-Identifier: Apache-2.0 */
/* What only a shared store can do and suffer: others at it, its loss, and a server that says anything. With a redis-server of
 * the test's own, or with a socket at whose other end the test speaks. */

#include "backbone/redis_line.h"
#include "store_lab.h"
#include "log_lab.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>

#define MAX    1000
#define OK     "+OK\r\n"
#define DIGEST "$40\r\n0123456789012345678901234567890123456789\r\n"
#define HELLO  OK DIGEST DIGEST DIGEST DIGEST DIGEST DIGEST

static struct store_lab lab;

static bool count_entry(void *context, const struct store_entry *e)
{
    (void)e;
    ++*(unsigned *)context;
    return true;
}

static int put(struct store *s, unsigned number, uint64_t seq)
{
    struct test_entry t;
    uint64_t stored;
    return store_lab_put(s, test_entry_init(&t, number, seq, NOW + 100), NOW, &stored);
}

static bool copy_linked(void *context, const struct store_entry *e)
{
    snprintf(context, STORE_URL_MAX, "%s", e->linked ? e->linked : "");
    return true;
}

static int get(struct store *s, unsigned number, char linked[STORE_URL_MAX])
{
    struct test_entry t;
    return store_lab_get(s, &test_entry_init(&t, number, 0, 0)->id, NOW, copy_linked, linked);
}

/* ---- with others ---- */

struct heard {
    struct store_lab_answer answer;
    struct store_heard is;
};

static void note_heard(void *context, int err, const struct store_heard *is)
{
    struct heard *h = context;
    h->is = is ? *is : (struct store_heard){0};
    h->answer = (struct store_lab_answer){true, err, 0};
}

static struct store_beat beat_of(const char *instance, const char *url, uint8_t key)
{
    struct store_beat b = {.hour = 500000};
    snprintf(b.instance, sizeof(b.instance), "%s", instance);
    snprintf(b.url, sizeof(b.url), "%s", url);
    snprintf(b.generation, sizeof(b.generation), "generation%u", key);
    memset(b.keys, key, sizeof(b.keys));
    return b;
}

static struct store_heard beat(struct store *s, const char *instance, const char *url, uint8_t key)
{
    struct heard h = {0};
    struct store_beat b = beat_of(instance, url, key);
    store_beat(s, &b, note_heard, &h);
    assert_int_equal(store_lab_wait(s, &h.answer, NULL), 0);
    return h.is;
}

static int link_node(struct store *s, unsigned number, const char *instance, bool on)
{
    struct test_entry t;
    struct store_lab_answer a = {0};
    store_link(s, &test_entry_init(&t, number, 0, 0)->id, instance, on, store_lab_note, &a);
    return store_lab_wait(s, &a, NULL);
}

static void instances_agree_on_keys_and_know_each_other(void **state)
{
    (void)state;
    struct store *a = store_lab_fresh(&lab, MAX), *b = store_lab_join(&lab, MAX);
    struct store_heard first = beat(a, "a", "http://a.example", 1),
                       second = beat(b, "b", "https://b.example", 2);
    assert_int_equal(first.count, 1);
    assert_string_equal(first.urls[0], "http://a.example");
    assert_int_equal(second.count, 2);
    assert_string_equal(second.urls[0], "https://b.example");
    assert_string_equal(second.urls[1], "http://a.example");
    assert_memory_equal(second.keys, first.keys, sizeof(first.keys));
    assert_int_equal(second.keys[0][0], 1);
    assert_string_equal(second.generation, "generation1");
    second = beat(b, "b", "", 2);
    assert_int_equal(second.count, 1);
    store_lab_say(&lab, "FLUSHALL");
    assert_string_equal(beat(b, "b", "https://b.example", 3).generation, "generation3");
    store_close(a);
    store_close(b);
}

/* Each hears of itself and those behind it, as in a ring. */
static void of_many_instances_each_hears_of_others(void **state)
{
    (void)state;
    struct store *s = store_lab_fresh(&lab, MAX);
    char name[8], url[32];
    struct store_heard last = {0};
    for (unsigned i = 0; i < 3 * STORE_INSTANCES; i++) {
        snprintf(name, sizeof(name), "n%03u", i);
        snprintf(url, sizeof(url), "http://n%03u.example", i);
        last = beat(s, name, url, 1);
    }
    assert_int_equal(last.count, STORE_INSTANCES);
    assert_string_equal(last.urls[0], "http://n047.example");
    assert_string_equal(last.urls[1], "http://n000.example");
    last = beat(s, "n020", "http://n020.example", 1);
    assert_int_equal(last.count, STORE_INSTANCES);
    for (unsigned i = 0; i < STORE_INSTANCES; i++) {
        snprintf(url, sizeof(url), "http://n%03u.example", 20 + i);
        assert_string_equal(last.urls[i], url);
    }
    store_close(s);
}

static void node_is_shown_where_it_has_its_uplink(void **state)
{
    (void)state;
    struct store *a = store_lab_fresh(&lab, MAX), *b = store_lab_join(&lab, MAX);
    char linked[STORE_URL_MAX];
    beat(a, "a", "http://a.example", 1);
    beat(b, "b", "http://b.example", 1);
    assert_int_equal(put(a, 1, 1), 0);
    assert_int_equal(get(b, 1, linked), 0);
    assert_string_equal(linked, "");
    assert_int_equal(link_node(a, 1, "a", true), 0);
    assert_int_equal(get(b, 1, linked), 0);
    assert_string_equal(linked, "http://a.example");
    assert_int_equal(link_node(b, 1, "b", true), 0);  /* it moved, … */
    assert_int_equal(link_node(a, 1, "a", false), 0); /* … and the older one notices later */
    assert_int_equal(get(a, 1, linked), 0);
    assert_string_equal(linked, "http://b.example");
    beat(b, "b", "", 1);
    assert_int_equal(get(a, 1, linked), 0);
    assert_string_equal(linked, ""); /* nobody is linked at one that has left */
    assert_int_equal(
        store_lab_say(&lab, "PTTL " STORE_REDIS_PREFIX "linked:0001000000000000000000000000000000000000") >
            (STORE_LINK_TTL_S - 60) * 1000,
        1);
    store_close(a);
    store_close(b);
}

static void what_expires_leaves_the_server_by_itself(void **state)
{
    (void)state;
    struct store *s = store_lab_fresh(&lab, MAX);
    assert_int_equal(put(s, 1, 1), 0);
    long long left =
        store_lab_say(&lab, "TTL " STORE_REDIS_PREFIX "record:0001000000000000000000000000000000000000");
    assert_in_range(left, 100 + STORE_GRACE_S - 30, 100 + STORE_GRACE_S);
    beat(s, "a", "http://a.example", 1);
    left = store_lab_say(&lab, "PTTL " STORE_REDIS_PREFIX "instance:a");
    assert_in_range(left, 1, STORE_BEAT_TTL_S * 1000);
    store_close(s);
}

/* On the real clock, which the server's own is. */
static void instance_whose_clock_is_fast_deletes_nothing_that_lives(void **state)
{
    (void)state;
    struct store *s = store_lab_fresh(&lab, MAX);
    const uint64_t now_s = (uint64_t)time(NULL);
    struct test_entry t;
    uint64_t stored, count;
    assert_int_equal(store_lab_put(s, test_entry_init(&t, 1, 5, now_s + 1), now_s, &stored), 0);
    assert_int_equal(store_lab_put(s, test_entry_init(&t, 2, 5, now_s - STORE_SETTLE_S - 1), now_s, &stored),
                     0);
    assert_int_equal(store_lab_prune(s, now_s + 86400), 0);
    assert_int_equal(store_lab_count(s, 0, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(store_lab_put(s, test_entry_init(&t, 1, 4, now_s + 1), now_s, &stored), ERR_EXISTS);
    store_close(s);
}

static unsigned listed(struct store *s, uint64_t now_s)
{
    unsigned count = 0;
    struct store_query q = {.limit = 10, .now_s = now_s};
    assert_int_equal(store_lab_list(s, &q, count_entry, &count), 0);
    return count;
}

/* On the real clock again: an hour off, an instance shows what the others show. */
static void instance_whose_clock_is_wrong_shows_what_lives(void **state)
{
    (void)state;
    struct store *s = store_lab_fresh(&lab, MAX);
    const uint64_t now_s = (uint64_t)time(NULL);
    struct test_entry lives, ended;
    uint64_t stored;
    char linked[STORE_URL_MAX];
    test_entry_init(&lives, 1, 5, now_s + 600)->is_public = true;
    test_entry_init(&ended, 2, 5, now_s - 1)->is_public = true;
    assert_int_equal(store_lab_put(s, &lives.entry, now_s, &stored), 0);
    assert_int_equal(store_lab_put(s, &ended.entry, now_s, &stored), 0);
    for (unsigned hour = 0; hour < 2; hour++) {
        uint64_t there_s = now_s + 3600 * hour;
        assert_int_equal(store_lab_get(s, &lives.entry.id, there_s, copy_linked, linked), 0);
        assert_int_equal(store_lab_get(s, &ended.entry.id, there_s, copy_linked, linked), ERR_NOT_FOUND);
        assert_int_equal(listed(s, there_s), 1);
    }
    assert_int_equal(listed(s, now_s - 3600), 2); /* a slow one shows the other until it leaves by itself */
    assert_in_range(
        store_lab_say(&lab, "TTL " STORE_REDIS_PREFIX "record:0002000000000000000000000000000000000000"), 1,
        STORE_GRACE_S);
    store_close(s);
}

/* ---- its loss ---- */

static void dead_server_is_answered_at_once_and_comes_back(void **state)
{
    (void)state;
    struct store *s = store_lab_fresh(&lab, MAX);
    char linked[STORE_URL_MAX];
    assert_int_equal(put(s, 1, 1), 0);
    store_lab_kill(&lab);
    assert_int_equal(put(s, 1, 2), ERR_IO); /* the loss is noticed by it */
    assert_int_equal(lab.metrics.up, 0);
    assert_int_equal(lab.metrics.lost, 1);
    struct store_lab_answer a = {0};
    store_count(s, NOW, store_lab_note, &a);
    assert_true(a.came && a.err == ERR_IO); /* without a turn */
    store_lab_start(&lab);
    store_lab_await(&lab, s, true);
    assert_int_equal(put(s, 1, 2), 0);
    assert_int_equal(get(s, 1, linked), 0);
    store_close(s);
}

static void scripts_that_the_server_forgot_are_loaded_again(void **state)
{
    (void)state;
    struct store *s = store_lab_fresh(&lab, MAX);
    store_lab_say(&lab, "SCRIPT FLUSH");
    assert_int_equal(put(s, 1, 1), ERR_IO);
    store_lab_await(&lab, s, false);
    store_lab_await(&lab, s, true);
    assert_int_equal(put(s, 1, 1), 0);
    store_close(s);
}

static void password_is_asked_for_and_given(void **state)
{
    (void)state;
    struct store *s = store_lab_fresh(&lab, MAX);
    store_close(s);
    store_lab_say(&lab, "ACL SETUSER bee on >s3cret ~* +@all");
    strcpy(lab.target.user, "bee");
    strcpy(lab.target.password, "s3cret");
    s = store_lab_join(&lab, MAX);
    assert_int_equal(put(s, 1, 1), 0);
    store_close(s);
    strcpy(lab.target.password, "wrong");
    assert_int_equal(store_redis_open(&lab.target, &lab.metrics, MAX, &s), 0);
    lab.metrics = (struct store_metrics){0};
    for (unsigned i = 0; i < 20; i++)
        store_lab_turn(s);
    assert_int_equal(lab.metrics.up, 0);
    store_close(s);
    lab.target.user[0] = lab.target.password[0] = '\0';
}

/* ---- what others wrote ---- */

static void foreign_values_are_refused_and_counted(void **state)
{
    (void)state;
    static const char id[] = STORE_REDIS_PREFIX "record:0001000000000000000000000000000000000000";
    static const char *const fields[][2] = {
        {"seq", "x"},     {"expiry", "soon"},
        {"public", "-1"}, {"name", "\x1b[2J"},
        {"name", "\xff"}, {"network", "much longer than any name of a network may ever be, by far"},
        {"record", NULL}, {"signature", NULL},
    };
    struct store *s = store_lab_fresh(&lab, MAX);
    char linked[STORE_URL_MAX];
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        store_lab_say(&lab, "FLUSHALL");
        assert_int_equal(put(s, 1, 5), 0);
        if (fields[i][1])
            store_lab_say(&lab, "HSET %s %s %s", id, fields[i][0], fields[i][1]);
        else
            store_lab_say(&lab, "HDEL %s %s", id, fields[i][0]);
        assert_int_equal(get(s, 1, linked), ERR_IO);
    }
    store_lab_say(&lab, "FLUSHALL");
    store_lab_say(&lab, "SET %s text", id);
    assert_int_equal(get(s, 1, linked), ERR_IO);
    assert_int_equal(put(s, 1, 5), ERR_IO);
    assert_int_equal(put(s, 2, 5), 0); /* another node's is none of its business */
    store_lab_say(&lab, "SET " STORE_REDIS_PREFIX "linked:0002000000000000000000000000000000000000 x");
    store_lab_say(&lab, "SET " STORE_REDIS_PREFIX "instance:x javascript:alert()");
    assert_int_equal(get(s, 2, linked), ERR_IO);
    assert_int_equal(lab.metrics.lost, 0);
    assert_true(lab.metrics.requests[STORE_REQUEST_MALFORMED] >= 5);
    store_close(s);
}

static void list_of_who_is_gone_mends_itself(void **state)
{
    (void)state;
    struct store *s = store_lab_fresh(&lab, MAX);
    struct store_query q = {.limit = 10, .now_s = NOW};
    struct test_entry t;
    unsigned seen = 0;
    uint64_t stored;
    test_entry_init(&t, 1, 1, NOW + 10)->is_public = true;
    assert_int_equal(store_lab_put(s, &t.entry, NOW, &stored), 0);
    store_lab_say(&lab, "ZADD " STORE_REDIS_PREFIX "public 0 0000000000000000000000000000000000000009");
    assert_int_equal(store_lab_list(s, &q, count_entry, &seen), 0);
    assert_int_equal(seen, 1);
    assert_int_equal(store_lab_say(&lab, "ZCARD " STORE_REDIS_PREFIX "public"), 1);
    store_close(s);
}

/* Ids 1 to 6000, all of which expired long ago. */
static const char expired[] =
    "for i=1,6000 do local id=string.format('%04x',i)..string.rep('0',36)\n"
    "redis.call('HSET','" STORE_REDIS_PREFIX "record:'..id,'seq','1','expiry','1')\n"
    "redis.call('ZADD','" STORE_REDIS_PREFIX "public',0,id) end return 1";

static void listing_past_many_that_expired_goes_in_parts(void **state)
{
    (void)state;
    struct store *s = store_lab_fresh(&lab, MAX);
    struct store_query q = {.limit = 10, .now_s = NOW};
    struct test_entry t;
    unsigned seen = 0;
    uint64_t stored;
    assert_int_equal(store_lab_say(&lab, "EVAL %s 0", expired), 1);
    test_entry_init(&t, 7000, 1, NOW + 10)->is_public = true;
    assert_int_equal(store_lab_put(s, &t.entry, NOW, &stored), 0);
    uint64_t before = lab.metrics.requests[STORE_REQUEST_ANSWERED];
    assert_int_equal(store_lab_list(s, &q, count_entry, &seen), 0);
    assert_int_equal(seen, 1);
    assert_int_equal(lab.metrics.requests[STORE_REQUEST_ANSWERED] - before, 3);
    store_close(s);
}

/* ---- a server that the test speaks for ---- */

struct puppet {
    struct store *store;
    int fd; /* the server's end */
};

static void say(struct puppet *p, const char *text)
{
    assert_int_equal(send(p->fd, text, strlen(text), 0), strlen(text));
    store_turn(p->store, clock_monotonic_us());
}

static const struct redis_target nowhere = {.path = "/nonexistent/redis.sock"};

/* Over a new pair of sockets. */
static void connect_puppet(struct puppet *p)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    store_redis_adopt(p->store, ends[0]);
    p->fd = ends[1];
    store_turn(p->store, clock_monotonic_us());
}

/* Has not greeted yet. */
static struct puppet stranger(const struct redis_target *target)
{
    struct puppet p;
    lab.metrics = (struct store_metrics){0};
    assert_int_equal(store_redis_open(target, &lab.metrics, MAX, &p.store), 0);
    connect_puppet(&p);
    return p;
}

static struct puppet puppet(void)
{
    struct puppet p = stranger(&nowhere);
    say(&p, HELLO);
    assert_int_equal(lab.metrics.up, 1);
    return p;
}

static void drop(struct puppet *p)
{
    store_close(p->store);
    close(p->fd);
}

/* Everything that can be asked at once; each is to be answered once. */
struct all {
    struct store_lab_visit get, list;
    struct store_lab_answer put, count, prune, link;
    struct heard heard;
    unsigned seen;
};

static void ask_all(struct store *s, struct all *a)
{
    struct test_entry t;
    struct store_beat b = beat_of("a", "http://a.example", 1);
    struct store_query q = {.network = "blue", .limit = 5, .now_s = NOW};
    *a = (struct all){0};
    a->get = a->list = (struct store_lab_visit){.visit = count_entry, .context = &a->seen};
    test_entry_init(&t, 1, 1, NOW + 10);
    store_put(s, &t.entry, NOW, store_lab_note, &a->put);
    store_get(s, &t.entry.id, NOW, store_lab_see, store_lab_note, &a->get);
    store_list(s, &q, store_lab_see, store_lab_note, &a->list);
    store_count(s, NOW, store_lab_note, &a->count);
    store_prune(s, NOW, store_lab_note, &a->prune);
    store_link(s, &t.entry.id, "a", true, store_lab_note, &a->link);
    store_beat(s, &b, note_heard, &a->heard);
}

static void assert_all_answered(const struct all *a)
{
    assert_true(a->put.came && a->get.answer.came && a->list.answer.came && a->count.came && a->prune.came &&
                a->link.came && a->heard.answer.came);
}

static void answers_of_wrong_types_are_no_answers(void **state)
{
    (void)state;
    static const char *const answers[] = {
        OK,
        ":-1\r\n",
        "*0\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        "-ERR what\r\n",
        "-\r\n",
        "$0\r\n\r\n",
        "$4\r\n\x01\xff\r\n\r\n",
        "*2\r\n:1\r\n$-1\r\n",
        "*9\r\n$40\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n:1\r\n:1\r\n:1\r\n$0\r\n\r\n$0\r\n\r\n$"
        "0\r\n\r\n$0\r\n\r\n$0\r\n\r\n",
        "*3\r\n$-1\r\n*-1\r\n+x\r\n",
    };
    struct puppet p = puppet();
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        struct all a;
        ask_all(p.store, &a);
        store_turn(p.store, clock_monotonic_us());
        for (unsigned n = 0; n < 7; n++)
            say(&p, answers[i]);
        assert_all_answered(&a);
        assert_int_equal(a.seen, 0);
        assert_true(a.put.err && a.get.answer.err && a.heard.answer.err);
        assert_int_equal(lab.metrics.up, 1);
    }
    drop(&p);
}

static void what_is_no_answer_ends_the_connection(void **state)
{
    (void)state;
    static const char *const said[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", ":1x\r\n", "*2147483647\r\n",
                                       "$-7\r\n",
                                       "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"};
    for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
        struct puppet p = puppet();
        struct all a;
        ask_all(p.store, &a);
        say(&p, said[i]);
        assert_all_answered(&a);
        assert_int_equal(a.count.err, ERR_IO);
        assert_int_equal(lab.metrics.up, 0);
        drop(&p);
    }
}

static void answer_that_nobody_asked_for_ends_the_connection(void **state)
{
    (void)state;
    struct puppet p = puppet();
    say(&p, ":1\r\n");
    assert_int_equal(lab.metrics.up, 0);
    assert_int_equal(lab.metrics.requests[STORE_REQUEST_MALFORMED], 1);
    drop(&p);
}

static void answer_without_an_end_ends_the_connection(void **state)
{
    (void)state;
    static char block[60000];
    struct puppet p = puppet();
    struct store_lab_answer a = {0};
    store_count(p.store, NOW, store_lab_note, &a);
    memset(block, 'x', sizeof(block) - 1);
    say(&p, "$400000000\r\n");
    for (unsigned i = 0; i < 100 && lab.metrics.up; i++)
        say(&p, block);
    assert_int_equal(lab.metrics.up, 0);
    assert_int_equal(a.err, ERR_IO);
    drop(&p);
}

/* Of elements that are small and whole, none of which waits in a buffer. */
static void answer_of_too_many_elements_ends_the_connection(void **state)
{
    (void)state;
    static char block[8 + 5 * REDIS_ELEMENTS_MAX + 1];
    struct puppet p = puppet();
    struct store_lab_answer a = {0};
    size_t said = 0;
    strcpy(block, "*2048\r\n");
    for (unsigned i = 0; i < REDIS_ELEMENTS_MAX; i++)
        strcat(block + 5 * i, "$-1\r\n");
    store_count(p.store, NOW, store_lab_note, &a);
    say(&p, "*2048\r\n");
    for (; said <= REDIS_ANSWER_MAX && lab.metrics.up; said += strlen(block))
        say(&p, block);
    assert_int_equal(lab.metrics.up, 0);
    assert_in_range(said, REDIS_ANSWER_MAX - strlen(block), REDIS_ANSWER_MAX + strlen(block));
    assert_int_equal(a.err, ERR_IO);
    drop(&p);
}

static void listing_that_always_goes_on_ends(void **state)
{
    (void)state;
    struct puppet p = puppet();
    struct store_query q = {.limit = 10, .now_s = NOW};
    struct store_lab_visit v = {.visit = count_entry};
    unsigned parts = 0;
    store_list(p.store, &q, store_lab_see, store_lab_note, &v);
    for (; parts < 1000 && !v.answer.came; parts++)
        say(&p, "*1\r\n*1\r\n$40\r\n0001000000000000000000000000000000000000\r\n");
    assert_int_equal(parts, 64);
    assert_int_equal(v.answer.err, ERR_IO);
    assert_int_equal(lab.metrics.up, 1);
    drop(&p);
}

static void beginning_of_an_answer_that_nobody_asked_for_ends_the_connection(void **state)
{
    (void)state;
    struct puppet p = puppet();
    struct store_lab_answer a = {0};
    say(&p, "*2\r\n:1\r\n");
    assert_int_equal(lab.metrics.up, 0);
    drop(&p);
    p = puppet();
    store_count(p.store, NOW, store_lab_note, &a);
    say(&p, ":7\r\n*2\r\n:1\r\n"); /* behind one that was asked for */
    assert_int_equal(a.number, 7);
    assert_int_equal(lab.metrics.up, 0);
    drop(&p);
}

static void silent_server_is_given_up_after_its_time(void **state)
{
    (void)state;
    struct puppet p = puppet();
    struct store_lab_answer a = {0};
    uint64_t now_us = clock_monotonic_us();
    store_count(p.store, NOW, store_lab_note, &a);
    store_turn(p.store, now_us);
    assert_true(store_watch(p.store).at_us <= clock_monotonic_us() + REDIS_TIMEOUT_US + 1);
    store_turn(p.store, now_us + REDIS_TIMEOUT_US - USEC_PER_MSEC);
    assert_false(a.came);
    store_turn(p.store, clock_monotonic_us() + REDIS_TIMEOUT_US + 1);
    assert_true(a.came && a.err == ERR_IO);
    assert_int_equal(lab.metrics.up, 0);
    drop(&p);
}

/* A short wait on the real clock: what is late is judged by when it was asked. */
static void slow_server_is_asked_nothing_more_but_hears_that_we_live(void **state)
{
    (void)state;
    struct puppet p = puppet();
    struct store_lab_answer first = {0}, second = {0}, third = {0};
    struct heard h = {0};
    struct store_beat b = beat_of("a", "http://a.example", 1);
    uint64_t until_us = clock_monotonic_us() + REDIS_SLOW_US + USEC_PER_MSEC;
    store_count(p.store, NOW, store_lab_note, &first);
    while (clock_monotonic_us() < until_us)
        poll(NULL, 0, 10);
    store_count(p.store, NOW, store_lab_note, &second);
    assert_true(second.came && second.err == ERR_IO);
    store_beat(p.store, &b, note_heard, &h);
    assert_false(h.answer.came);
    say(&p, ":7\r\n-ERR\r\n");
    assert_true(first.came && first.number == 7 && h.answer.came);
    store_count(p.store, NOW, store_lab_note, &third);
    assert_false(third.came);
    drop(&p);
}

static void more_than_the_pipeline_holds_is_refused_at_once(void **state)
{
    (void)state;
    struct puppet p = puppet();
    static struct store_lab_answer answers[REDIS_PIPELINE_MAX + 1];
    memset(answers, 0, sizeof(answers));
    for (unsigned i = 0; i <= REDIS_PIPELINE_MAX; i++)
        store_count(p.store, NOW, store_lab_note, &answers[i]);
    assert_false(answers[REDIS_PIPELINE_MAX - 1].came);
    assert_true(answers[REDIS_PIPELINE_MAX].came && answers[REDIS_PIPELINE_MAX].err == ERR_IO);
    say(&p, ":7\r\n:8\r\n");
    assert_int_equal(answers[0].number, 7);
    assert_int_equal(answers[1].number, 8);
    assert_int_equal(lab.metrics.requests[STORE_REQUEST_REFUSED], 1);
    drop(&p);
    assert_true(answers[2].came && answers[2].err == ERR_IO); /* by the end of the store */
}

static void server_that_greets_wrongly_is_left(void **state)
{
    (void)state;
    static const char *const greetings[] = {"-NOAUTH Authentication required.\r\n", ":1\r\n",
                                            OK OK OK OK OK OK OK, "*0\r\n"};
    for (size_t i = 0; i < sizeof(greetings) / sizeof(*greetings); i++) {
        struct puppet p = stranger(&nowhere);
        say(&p, greetings[i]);
        assert_int_equal(store_watch(p.store).fd, -1);
        assert_int_equal(lab.metrics.up, 0);
        drop(&p);
    }
}

/* ---- what is logged ---- */

static void refused_password_is_not_logged_however_the_server_cites_it(void **state)
{
    (void)state;
    static const char *const refusals[][2] = {
        {"-ERR unknown command 'AUTH', with args beginning with: 'bee' 's3cret'\r\n",
         "(ERR in answer to AUTH"},
        {"-WRONGPASS invalid username-password pair\r\n", "(WRONGPASS in answer to AUTH"},
        {"-s3cret\r\n", "(an error in answer to AUTH"},
        {"-\r\n", "(an error in answer to AUTH"},
    };
    static const struct redis_target target = {
        .path = "/nonexistent/redis.sock", .user = "bee", .password = "s3cret"};
    log_set_level(LOG_LEVEL_INFO);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        struct puppet p = stranger(&target);
        say(&p, refusals[i][0]);
        const char *logged = captured();
        assert_null(strstr(logged, "s3cret"));
        assert_non_null(strstr(logged, refusals[i][1]));
        drop(&p);
    }
}

/* In answer to what follows AUTH, and to any request: a proxy may cite a connection's whole past. */
static void password_that_a_later_error_cites_is_masked(void **state)
{
    (void)state;
    static const char *const errors[] = {"-ERR you said AUTH correcthorsebattery\r\n",
                                         "-correcthorsebattery\r\n", "-ERR cut: 'correcthors'\r\n",
                                         "-ERR twice correcthorsebatterycorrecthorsebattery\r\n"};
    static const struct redis_target target = {.path = "/nonexistent/redis.sock",
                                               .password = "correcthorsebattery"};
    log_set_level(LOG_LEVEL_INFO);
    for (size_t i = 0; i < 2 * sizeof(errors) / sizeof(*errors); i++) {
        struct store_lab_answer answer = {0};
        struct puppet p = stranger(&target);
        if (i % 2) {
            say(&p, OK OK);
        } else {
            say(&p, OK HELLO);
            store_count(p.store, NOW, store_lab_note, &answer);
        }
        say(&p, errors[i / 2]);
        const char *logged = captured();
        assert_non_null(strstr(logged, "***"));
        assert_null(strstr(logged, "correcthors"));
        drop(&p);
    }
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned count = 0;
    for (; (text = strstr(text, what)); text++)
        count++;
    return count;
}

/* Ends it as its server would; returns for how long it waits then. */
static uint64_t lose(struct puppet *p, uint64_t now_us)
{
    close(p->fd);
    store_turn(p->store, now_us);
    assert_int_equal(lab.metrics.up, 0);
    return store_watch(p->store).at_us - now_us;
}

static void greet_again(struct puppet *p)
{
    connect_puppet(p);
    say(p, HELLO);
    assert_int_equal(lab.metrics.up, 1);
}

static void server_that_greets_and_leaves_is_tried_more_rarely_and_logged_once(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_INFO);
    struct puppet p = puppet();
    assert_int_equal(lose(&p, clock_monotonic_us()), REDIS_RETRY_US);
    for (unsigned i = 0; i < 10; i++) {
        greet_again(&p);
        assert_true(lose(&p, clock_monotonic_us()) > REDIS_RETRY_US);
    }
    const char *logged = captured();
    assert_int_equal(count_of(logged, "is there"), 1);
    assert_int_equal(count_of(logged, "is not to be reached"), 1);
    assert_int_equal(count_of(logged, "is back"), 1);
    store_close(p.store);
}

static void loss_after_a_steady_time_is_tried_soon_and_a_lasting_one_is_logged(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_INFO);
    struct puppet p = puppet();
    for (unsigned i = 0; i < 4; i++) {
        (void)lose(&p, clock_monotonic_us());
        greet_again(&p);
    }
    uint64_t now_us = clock_monotonic_us() + REDIS_STEADY_US + USEC_PER_MSEC;
    assert_int_equal(lose(&p, now_us), REDIS_RETRY_US);
    assert_int_equal(count_of(captured(), "is not to be reached"), 1);
    store_turn(p.store, now_us + REDIS_LOG_US); /* in vain */
    assert_int_equal(count_of(captured(), "is not to be reached"), 1);
    greet_again(&p);
    assert_int_equal(count_of(captured(), "is back"), 1);
    drop(&p);
}

static int open_redis(void **state)
{
    (void)state;
    store_lab_open(&lab, true);
    return 0;
}

static int close_redis(void **state)
{
    (void)state;
    store_lab_close(&lab);
    return 0;
}

static int silence(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR - 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(answers_of_wrong_types_are_no_answers),
        cmocka_unit_test(what_is_no_answer_ends_the_connection),
        cmocka_unit_test(answer_that_nobody_asked_for_ends_the_connection),
        cmocka_unit_test(answer_without_an_end_ends_the_connection),
        cmocka_unit_test(answer_of_too_many_elements_ends_the_connection),
        cmocka_unit_test(beginning_of_an_answer_that_nobody_asked_for_ends_the_connection),
        cmocka_unit_test(listing_that_always_goes_on_ends),
        cmocka_unit_test(silent_server_is_given_up_after_its_time),
        cmocka_unit_test(slow_server_is_asked_nothing_more_but_hears_that_we_live),
        cmocka_unit_test(more_than_the_pipeline_holds_is_refused_at_once),
        cmocka_unit_test(server_that_greets_wrongly_is_left),
    };
#define LOGGED(f) cmocka_unit_test_setup_teardown(f, capture, release)
    const struct CMUnitTest logged[] = {
        LOGGED(refused_password_is_not_logged_however_the_server_cites_it),
        LOGGED(password_that_a_later_error_cites_is_masked),
        LOGGED(server_that_greets_and_leaves_is_tried_more_rarely_and_logged_once),
        LOGGED(loss_after_a_steady_time_is_tried_soon_and_a_lasting_one_is_logged),
    };
    const struct CMUnitTest served[] = {
        cmocka_unit_test(instances_agree_on_keys_and_know_each_other),
        cmocka_unit_test(of_many_instances_each_hears_of_others),
        cmocka_unit_test(node_is_shown_where_it_has_its_uplink),
        cmocka_unit_test(what_expires_leaves_the_server_by_itself),
        cmocka_unit_test(instance_whose_clock_is_fast_deletes_nothing_that_lives),
        cmocka_unit_test(instance_whose_clock_is_wrong_shows_what_lives),
        cmocka_unit_test(dead_server_is_answered_at_once_and_comes_back),
        cmocka_unit_test(scripts_that_the_server_forgot_are_loaded_again),
        cmocka_unit_test(password_is_asked_for_and_given),
        cmocka_unit_test(foreign_values_are_refused_and_counted),
        cmocka_unit_test(list_of_who_is_gone_mends_itself),
        cmocka_unit_test(listing_past_many_that_expired_goes_in_parts),
    };
    int failed = cmocka_run_group_tests(alone, silence, NULL) + cmocka_run_group_tests(logged, NULL, NULL);
    if (!store_lab_has_redis())
        return failed;
    return failed + cmocka_run_group_tests(served, open_redis, close_redis);
}
