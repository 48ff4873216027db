/* SPDX-License-Identifier: Apache-2.0 */
/* Questions become requests of a line, and answers become what the directory asked for. */

#include "backbone/store_redis.h"

#include "backbone/redis_line.h"
#include "backbone/redis_reply.h"
#include "backbone/redis_scripts.h"
#include "base/clock.h"
#include "base/log.h"
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_INTERVAL_US (60 * USEC_PER_SEC)
#define NUMBER_MAX      24      /* digits and NUL */
#define KEY_S           "14400" /* for which a challenge's key is kept: longer than it is of use */
#define WHOLE_MAX       REDIS_ANSWER_MAX
#define LIST_PARTS_MAX  64 /* requests of one listing, of 2,560 members each */

_Static_assert(STORE_KEYS == 3, "the script knows three keys");

struct store_redis {
    struct store store;
    const struct redis_target *target;
    struct redis_line *line;
    struct store_metrics *metrics;
    uint64_t max_entries;
    struct log_limit log_limit;
    char digests[REDIS_SCRIPTS][41];
};

/* What is still to be listed. */
struct list {
    char key[16 + RECORD_NETWORK_MAX];
    char after[ID_TEXT_MAX];
    bool is_whole;
    unsigned limit, parts;
    size_t bytes;
    uint64_t now_s;
};

/* A question that waits for its answer. */
struct question {
    struct store_redis *store;
    struct list list;
    uint64_t hour;
    store_visit *visit;
    store_done *done;
    store_heard_done *heard;
    void *context;
};

static struct store_redis *redis_of(struct store *s)
{
    return (struct store_redis *)s;
}

/* ---- answers ---- */

static int malformed(struct store_redis *s)
{
    uint64_t suppressed;
    metrics_add(&s->metrics->requests[STORE_REQUEST_MALFORMED]);
    if (log_limit_pass(&s->log_limit, clock_monotonic_us(), LOG_INTERVAL_US, &suppressed))
        log_error(
            "the store holds what no backbone of this version writes: look at its keys " STORE_REDIS_PREFIX
            "*; nodes register anew by themselves when they are deleted");
    return ERR_IO;
}

/* 0 when it is an answer and no error. Scripts that the server has forgotten are loaded by entering it anew. */
static int judge(struct store_redis *s, const struct redisReply *answer)
{
    char shown[160];
    uint64_t suppressed;
    if (!answer)
        return ERR_IO;
    if (answer->type != REDIS_REPLY_ERROR)
        return 0;
    if (strncmp(answer->str, "NOSCRIPT", 8) == 0) {
        redis_line_give_up(s->line, "it has forgotten our scripts");
        return ERR_IO;
    }
    redis_target_mask(s->target, answer->str, answer->len, shown, sizeof(shown));
    if (log_limit_pass(&s->log_limit, clock_monotonic_us(), LOG_INTERVAL_US, &suppressed))
        log_error("the store refuses a request: %s", shown);
    return ERR_IO;
}

/* What a question has carried, which ends here. */
static struct question finish(struct question *q)
{
    struct question was = *q;
    free(q);
    return was;
}

static void on_put(void *context, const struct redisReply *answer)
{
    struct question q = finish(context);
    uint64_t what = 0, seq = 0;
    int err = judge(q.store, answer);
    if (!err && redis_reply_number(redis_reply_at(answer, 0), &what) != 0)
        err = malformed(q.store);
    if (!err && what == 1)
        err = redis_reply_number(redis_reply_at(answer, 1), &seq) == 0 ? ERR_EXISTS : malformed(q.store);
    else if (!err && what)
        err = what == 2 ? ERR_SPACE : malformed(q.store);
    q.done(q.context, err, seq);
}

static int read_linked(const struct redisReply *r, char url[STORE_URL_MAX], struct store_entry *e)
{
    if (redis_reply_text(r, url, STORE_URL_MAX) == 0 && !url[0])
        return 0;
    if (redis_reply_url(r, url) != 0)
        return ERR_FORMAT;
    e->linked = url;
    return 0;
}

static void on_get(void *context, const struct redisReply *answer)
{
    struct question q = finish(context);
    struct store_entry e;
    char url[STORE_URL_MAX];
    int err = judge(q.store, answer);
    if (!err && answer->type == REDIS_REPLY_NIL)
        err = ERR_NOT_FOUND;
    else if (!err && (redis_reply_entry(answer, true, &e) != 0 ||
                      read_linked(redis_reply_at(answer, 8), url, &e) != 0))
        err = malformed(q.store);
    if (!err)
        (void)q.visit(q.context, &e);
    q.done(q.context, err, 0);
}

static void ask_list(struct question *q);

static void on_list(void *context, const struct redisReply *answer)
{
    struct question q = finish(context);
    struct store_entry e;
    struct node_id after;
    int err = judge(q.store, answer);
    if (!err && answer->type != REDIS_REPLY_ARRAY)
        err = malformed(q.store);
    size_t count = err ? 0 : answer->elements;
    bool more = !err, goes_on = count && redis_reply_cursor(answer->element[count - 1], &after) == 0;
    count -= goes_on;
    for (size_t i = 0; more && i < count; i++) {
        err = redis_reply_entry(answer->element[i], q.list.is_whole, &e) != 0 ? malformed(q.store) : 0;
        more = !err && q.visit(q.context, &e);
    }
    if (more && goes_on && count < q.list.limit) {
        q.list.limit -= (unsigned)count;
        id_format(&after, q.list.after);
        ask_list(&q);
    } else {
        q.done(q.context, err, 0);
    }
}

static void on_number(void *context, const struct redisReply *answer)
{
    struct question q = finish(context);
    uint64_t number = 0;
    int err = judge(q.store, answer);
    if (!err && redis_reply_number(answer, &number) != 0)
        err = malformed(q.store);
    q.done(q.context, err, number);
}

static void on_said(void *context, const struct redisReply *answer)
{
    struct question q = finish(context);
    q.done(q.context, judge(q.store, answer), 0);
}

static void on_heard(void *context, const struct redisReply *answer)
{
    struct question q = finish(context);
    struct store_heard heard;
    int err = judge(q.store, answer);
    if (!err && redis_reply_heard(answer, q.hour, &heard) != 0)
        err = malformed(q.store);
    q.heard(q.context, err, err ? NULL : &heard);
}

/* ---- questions ---- */

static void add(struct redis_request *r, const void *bytes, size_t len)
{
    r->parts[r->count] = bytes ? bytes : "";
    r->lengths[r->count++] = len;
}

static void add_text(struct redis_request *r, const char *text)
{
    add(r, text, strlen(text));
}

static struct redis_request script_of(const struct store_redis *s, enum redis_script which)
{
    struct redis_request r = {0};
    add_text(&r, "EVALSHA");
    add(&r, s->digests[which], 40);
    add_text(&r, "0");
    return r;
}

static const char *digits(uint64_t number, char out[NUMBER_MAX])
{
    snprintf(out, NUMBER_MAX, "%" PRIu64, number);
    return out;
}

/* What cannot be asked now is answered now. That we live is said to a slow server, too. */
static void ask(const struct question *with, const struct redis_request *r, redis_line_done *on_answer)
{
    struct question *q = malloc(sizeof(*q));
    if (q)
        *q = *with;
    if (q && redis_line_ask(with->store->line, r, with->heard != NULL, on_answer, q))
        return;
    free(q);
    if (with->heard)
        with->heard(with->context, ERR_IO, NULL);
    else
        with->done(with->context, ERR_IO, 0);
}

static void redis_put(struct store *store, const struct store_entry *e, uint64_t now_s, store_done *done,
                      void *context)
{
    struct store_redis *s = redis_of(store);
    const struct question q = {.store = s, .done = done, .context = context};
    struct redis_request r = script_of(s, REDIS_SCRIPT_PUT);
    char id[ID_TEXT_MAX], seq[NUMBER_MAX], expiry[NUMBER_MAX], keep[NUMBER_MAX], most[NUMBER_MAX];
    uint64_t left_s = e->expiry_s > now_s ? e->expiry_s - now_s : 0;
    snprintf(seq, sizeof(seq), "%019" PRIu64, e->seq);
    add_text(&r, id_format(&e->id, id));
    add_text(&r, seq);
    add_text(&r, digits(e->expiry_s, expiry));
    add_text(&r, e->is_public ? "1" : "0");
    add_text(&r, e->name);
    add_text(&r, e->network);
    add(&r, e->record.data, e->record.len);
    add(&r, e->signature.data, e->signature.len);
    add_text(&r, digits(left_s + STORE_GRACE_S, keep));
    add_text(&r, digits(s->max_entries, most));
    ask(&q, &r, on_put);
}

static void redis_get(struct store *store, const struct node_id *id, uint64_t now_s, store_visit *visit,
                      store_done *done, void *context)
{
    struct store_redis *s = redis_of(store);
    const struct question q = {.store = s, .visit = visit, .done = done, .context = context};
    struct redis_request r = script_of(s, REDIS_SCRIPT_GET);
    char text[ID_TEXT_MAX], now[NUMBER_MAX];
    add_text(&r, id_format(id, text));
    add_text(&r, digits(now_s, now));
    ask(&q, &r, on_get);
}

/* Many that expired in a row are a fast clock's, or a flood's. */
static void ask_list(struct question *q)
{
    struct redis_request r = script_of(q->store, REDIS_SCRIPT_LIST);
    const struct list *l = &q->list;
    char most[NUMBER_MAX], now[NUMBER_MAX], room[NUMBER_MAX];
    uint64_t suppressed;
    if (q->list.parts++ == LIST_PARTS_MAX) {
        if (log_limit_pass(&q->store->log_limit, clock_monotonic_us(), LOG_INTERVAL_US, &suppressed))
            log_error("a listing finds little but expired records in the store: look whether this machine's "
                      "clock is right");
        q->done(q->context, ERR_IO, 0);
        return;
    }
    add_text(&r, l->key);
    add_text(&r, l->after);
    add_text(&r, digits(l->limit, most));
    add_text(&r, digits(l->now_s, now));
    add_text(&r, l->is_whole ? "1" : "0");
    add_text(&r, digits(l->bytes, room));
    ask(q, &r, on_list);
}

static void redis_list(struct store *store, const struct store_query *query, store_visit *visit,
                       store_done *done, void *context)
{
    struct question q = {.store = redis_of(store), .visit = visit, .done = done, .context = context};
    q.list = (struct list){.is_whole = query->network != NULL, .limit = query->limit, .now_s = query->now_s};
    q.list.bytes = query->bytes ? query->bytes : WHOLE_MAX / 2;
    snprintf(q.list.key, sizeof(q.list.key), query->network ? "network:%s" : "public", query->network);
    if (query->after)
        id_format(query->after, q.list.after);
    ask_list(&q);
}

static void redis_count(struct store *store, uint64_t now_s, store_done *done, void *context)
{
    const struct question q = {.store = redis_of(store), .done = done, .context = context};
    struct redis_request r = {0};
    char from[NUMBER_MAX + 1] = "(";
    digits(now_s, from + 1);
    add_text(&r, "ZCOUNT");
    add_text(&r, STORE_REDIS_PREFIX "expiry");
    add_text(&r, from);
    add_text(&r, "+inf");
    ask(&q, &r, on_number);
}

static void redis_prune(struct store *store, uint64_t before_s, store_done *done, void *context)
{
    struct store_redis *s = redis_of(store);
    const struct question q = {.store = s, .done = done, .context = context};
    struct redis_request r = script_of(s, REDIS_SCRIPT_PRUNE);
    char before[NUMBER_MAX], most[NUMBER_MAX], settle[NUMBER_MAX];
    add_text(&r, digits(before_s, before));
    add_text(&r, digits(STORE_PRUNE_MAX, most));
    add_text(&r, digits(STORE_SETTLE_S, settle));
    ask(&q, &r, on_number);
}

static void redis_beat(struct store *store, const struct store_beat *mine, store_heard_done *done,
                       void *context)
{
    struct store_redis *s = redis_of(store);
    const struct question q = {.store = s, .hour = mine->hour, .heard = done, .context = context};
    struct redis_request r = script_of(s, REDIS_SCRIPT_BEAT);
    char ttl[NUMBER_MAX], hour[NUMBER_MAX], most[NUMBER_MAX];
    add_text(&r, mine->instance);
    add_text(&r, mine->url);
    add_text(&r, digits(STORE_BEAT_TTL_S, ttl));
    add_text(&r, mine->generation);
    add_text(&r, digits(mine->hour, hour));
    for (unsigned i = 0; i < STORE_KEYS; i++)
        add(&r, mine->keys[i], STORE_KEY_LEN);
    add_text(&r, KEY_S);
    add_text(&r, digits(STORE_INSTANCES, most));
    ask(&q, &r, on_heard);
}

static void redis_link(struct store *store, const struct node_id *id, const char *instance, bool on,
                       store_done *done, void *context)
{
    struct store_redis *s = redis_of(store);
    const struct question q = {.store = s, .done = done, .context = context};
    char text[ID_TEXT_MAX], key[sizeof(STORE_REDIS_PREFIX "linked:") + ID_TEXT_MAX], ttl[NUMBER_MAX];
    struct redis_request r = on ? (struct redis_request){0} : script_of(s, REDIS_SCRIPT_UNLINK);
    id_format(id, text);
    snprintf(key, sizeof(key), STORE_REDIS_PREFIX "linked:%s", text);
    if (on)
        add_text(&r, "SET");
    add_text(&r, on ? key : text);
    add_text(&r, instance);
    if (on) {
        add_text(&r, "EX");
        add_text(&r, digits(STORE_LINK_TTL_S, ttl));
    }
    ask(&q, &r, on_said);
}

static struct store_watch redis_watch(struct store *store)
{
    return redis_line_watch(redis_of(store)->line);
}

static void redis_turn(struct store *store, uint64_t now_us)
{
    redis_line_turn(redis_of(store)->line, now_us);
}

static void redis_close(struct store *store)
{
    struct store_redis *s = redis_of(store);
    redis_line_free(s->line);
    free(s);
}

static const struct store_ops redis_ops = {
    .put = redis_put,
    .get = redis_get,
    .list = redis_list,
    .count = redis_count,
    .prune = redis_prune,
    .beat = redis_beat,
    .link = redis_link,
    .watch = redis_watch,
    .turn = redis_turn,
    .close = redis_close,
};

int store_redis_open(const struct redis_target *target, struct store_metrics *metrics, uint64_t max_entries,
                     struct store **out)
{
    struct store_redis *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->store.ops = &redis_ops;
    s->target = target;
    s->metrics = metrics;
    s->max_entries = max_entries;
    const struct redis_line_config config = {target, metrics, redis_scripts, REDIS_SCRIPTS, s->digests};
    int err = redis_line_new(&config, &s->line);
    if (err) {
        free(s);
        return err;
    }
    *out = &s->store;
    return 0;
}

void store_redis_adopt(struct store *s, int fd)
{
    redis_line_adopt(redis_of(s)->line, fd);
}
