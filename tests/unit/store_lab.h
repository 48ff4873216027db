/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Stores for tests, asked as if they answered at once; and a redis-server of the test's own, on a unix socket. */

#include "backbone/redis_target.h"
#include "backbone/store_redis.h"
#include "backbone/store_sqlite.h"
#include "backbone_entry.h"
#include "base/clock.h"
#include "base/log.h"
#include <hiredis/hiredis.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define NOW             1700000000ull /* a server's own clock is past it */
#define STORE_LAB_US    (30 * USEC_PER_SEC)
#define STORE_LAB_REDIS "redis-server"

/* ---- questions ---- */

struct store_lab_answer {
    bool came;
    int err;
    uint64_t number;
};

static inline void store_lab_note(void *context, int err, uint64_t number)
{
    struct store_lab_answer *a = context;
    assert_false(a->came);
    *a = (struct store_lab_answer){true, err, number};
}

/* One turn of whoever drives the store. */
static inline void store_lab_turn(struct store *s)
{
    struct store_watch w;
    store_turn(s, clock_monotonic_us());
    w = store_watch(s);
    struct pollfd p = {.fd = w.fd, .events = w.events};
    (void)poll(&p, 1, 10);
}

static inline int store_lab_wait(struct store *s, struct store_lab_answer *a, uint64_t *number)
{
    uint64_t until_us = clock_monotonic_us() + STORE_LAB_US;
    while (!a->came) {
        assert_true(clock_monotonic_us() < until_us);
        store_lab_turn(s);
    }
    if (number)
        *number = a->number;
    return a->err;
}

static inline int store_lab_put(struct store *s, const struct store_entry *e, uint64_t now_s, uint64_t *seq)
{
    struct store_lab_answer a = {0};
    store_put(s, e, now_s, store_lab_note, &a);
    return store_lab_wait(s, &a, seq);
}

/* What a visitor is given, and the answer behind it. */
struct store_lab_visit {
    struct store_lab_answer answer; /* first */
    store_visit *visit;
    void *context;
};

static inline bool store_lab_see(void *context, const struct store_entry *e)
{
    struct store_lab_visit *v = context;
    assert_false(v->answer.came);
    return v->visit(v->context, e);
}

static inline int store_lab_get(struct store *s, const struct node_id *id, uint64_t now_s, store_visit *visit,
                                void *context)
{
    struct store_lab_visit v = {.visit = visit, .context = context};
    store_get(s, id, now_s, store_lab_see, store_lab_note, &v);
    return store_lab_wait(s, &v.answer, NULL);
}

static inline int store_lab_list(struct store *s, const struct store_query *q, store_visit *visit,
                                 void *context)
{
    struct store_lab_visit v = {.visit = visit, .context = context};
    store_list(s, q, store_lab_see, store_lab_note, &v);
    return store_lab_wait(s, &v.answer, NULL);
}

static inline int store_lab_count(struct store *s, uint64_t now_s, uint64_t *out)
{
    struct store_lab_answer a = {0};
    store_count(s, now_s, store_lab_note, &a);
    return store_lab_wait(s, &a, out);
}

static inline int store_lab_prune(struct store *s, uint64_t before_s)
{
    struct store_lab_answer a = {0};
    store_prune(s, before_s, store_lab_note, &a);
    return store_lab_wait(s, &a, NULL);
}

/* ---- a server ---- */

struct store_lab {
    bool is_redis;
    pid_t pid;
    char dir[64];
    struct redis_target target;
    struct store_metrics metrics;
};

static inline bool store_lab_has_redis(void)
{
    return system("command -v " STORE_LAB_REDIS " >/dev/null 2>&1") == 0;
}

static inline void store_lab_start(struct store_lab *lab)
{
    lab->pid = fork();
    assert_true(lab->pid >= 0);
    if (lab->pid == 0) {
        execlp(STORE_LAB_REDIS, STORE_LAB_REDIS, "--port", "0", "--unixsocket", lab->target.path, "--save",
               "", "--dir", lab->dir, "--logfile", "/dev/null", "--daemonize", "no", NULL);
        _exit(127);
    }
}

static inline void store_lab_kill(struct store_lab *lab)
{
    kill(lab->pid, SIGKILL);
    assert_int_equal(waitpid(lab->pid, NULL, 0), lab->pid);
    lab->pid = 0;
}

/* To it, past the store. */
static inline redisContext *store_lab_connect(struct store_lab *lab)
{
    uint64_t until_us = clock_monotonic_us() + STORE_LAB_US;
    for (;;) {
        redisContext *c = redisConnectUnix(lab->target.path);
        if (c && !c->err)
            return c;
        redisFree(c);
        assert_true(clock_monotonic_us() < until_us);
        poll(NULL, 0, 10);
    }
}

/* Says a command to it; returns the answer's integer. */
static inline long long store_lab_say(struct store_lab *lab, const char *format, ...)
{
    va_list args;
    redisContext *c = store_lab_connect(lab);
    va_start(args, format);
    redisReply *r = redisvCommand(c, format, args);
    va_end(args);
    assert_non_null(r);
    if (r->type == REDIS_REPLY_ERROR)
        fail_msg("redis: %s", r->str);
    long long number = r->integer;
    freeReplyObject(r);
    redisFree(c);
    return number;
}

static inline void store_lab_open(struct store_lab *lab, bool is_redis)
{
    *lab = (struct store_lab){.is_redis = is_redis, .dir = "/tmp/shadowmesh-store.XXXXXX"};
    log_set_level(LOG_LEVEL_ERROR - 1);
    if (!is_redis)
        return;
    char url[128];
    assert_non_null(mkdtemp(lab->dir));
    snprintf(url, sizeof(url), "unix://%s/redis.sock", lab->dir);
    assert_null(redis_target_read(&lab->target, url));
    store_lab_start(lab);
    store_lab_say(lab, "PING");
}

static inline void store_lab_close(struct store_lab *lab)
{
    char command[128];
    if (!lab->is_redis)
        return;
    if (lab->pid)
        store_lab_kill(lab);
    snprintf(command, sizeof(command), "rm -rf %s", lab->dir);
    assert_int_equal(system(command), 0);
}

/* Until its connection is what it is to be. */
static inline void store_lab_await(struct store_lab *lab, struct store *s, bool up)
{
    uint64_t until_us = clock_monotonic_us() + STORE_LAB_US;
    while (lab->metrics.up != up) {
        assert_true(clock_monotonic_us() < until_us);
        store_lab_turn(s);
    }
}

/* A store on a server that holds what it held. */
static inline struct store *store_lab_join(struct store_lab *lab, uint64_t max)
{
    struct store *s;
    lab->metrics = (struct store_metrics){0};
    assert_int_equal(store_redis_open(&lab->target, &lab->metrics, max, &s), 0);
    store_lab_await(lab, s, true);
    return s;
}

/* An empty one. */
static inline struct store *store_lab_fresh(struct store_lab *lab, uint64_t max)
{
    struct store *s;
    if (lab->is_redis) {
        store_lab_say(lab, "FLUSHALL");
        return store_lab_join(lab, max);
    }
    assert_int_equal(store_sqlite_open(":memory:", max, &s), 0);
    return s;
}
