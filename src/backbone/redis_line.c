/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of what was asked, hiredis's buffers, and a socket that never blocks. */

#include "backbone/redis_line.h"

#include "backbone/redis_reply.h"
#include "backbone/redis_tls.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READS_MAX   16 /* of 16 KB in one turn */
#define CAUSE_MAX   160
#define SCRIPTS_MAX 8
#define GREETINGS   (2 + SCRIPTS_MAX)

enum state { STATE_DOWN, STATE_CONNECTING, STATE_GREETING, STATE_UP };
enum said { SAID_NOTHING, SAID_LOST, SAID_UP }; /* of the connection, in the log */

struct waiting {
    redis_line_done *done;
    void *context;
    uint64_t asked_us;
};

struct redis_line {
    struct redis_line_config config;
    enum state state;
    redisContext *redis;                          /* NULL while DOWN */
    redisReplyObjectFunctions unbounded, bounded; /* that make answers */
    bool unsent;
    size_t unfinished; /* bytes that came after the last whole answer, those that are parsed among them */
    unsigned greetings, scripts_loaded; /* greetings: answers that are still to come */
    unsigned address;                   /* the one that is tried */
    unsigned failures;
    enum said said;
    struct log_limit lost_limit;
    uint64_t since_us, retry_us; /* since_us: in this state, but DOWN */
    char cause[CAUSE_MAX];       /* why the connection is to be given up; empty: it is not */
    unsigned first, count;       /* of the ring */
    struct waiting ring[REDIS_PIPELINE_MAX];
    struct ssl_ctx_st *tls; /* NULL: none */
};

/* ---- answers are made within bounds ---- */

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

/* Answers are freed by recursion. */
static bool is_deep(const redisReadTask *task)
{
    unsigned depth = 0;
    while (task && depth <= REDIS_DEPTH_MAX) {
        task = task->parent;
        depth++;
    }
    return depth > REDIS_DEPTH_MAX;
}

static void *create_array(const redisReadTask *task, element_count elements)
{
    const redisReplyObjectFunctions *unbounded = task->privdata;
    return elements > REDIS_ELEMENTS_MAX || is_deep(task) ? NULL : unbounded->createArray(task, elements);
}

static void set_bounds(struct redis_line *l)
{
    redisReader *reader = l->redis->reader;
    l->unbounded = *reader->fn;
    l->bounded = l->unbounded;
    l->bounded.createArray = create_array;
    reader->fn = &l->bounded;
    reader->privdata = &l->unbounded;
}

/* ---- the end of a connection ---- */

/* A loss that the limit withholds is told at a later try, if it lasts. */
static void tell_lost(struct redis_line *l, const char *why, uint64_t now_us)
{
    char shown[CAUSE_MAX];
    uint64_t suppressed;
    if (l->said == SAID_LOST || !log_limit_pass(&l->lost_limit, now_us, REDIS_LOG_US, &suppressed))
        return;
    l->said = SAID_LOST;
    redis_target_mask(l->config.target, why, strlen(why), shown, sizeof(shown));
    log_warn(
        "the store %s is not to be reached (%s): registrations and look-ups are answered 503 until it is; "
        "links and relays go on",
        l->config.target->shown, shown);
}

static uint64_t wait_of(unsigned failures)
{
    uint64_t us = REDIS_RETRY_US << (failures < 8 ? failures : 8);
    return us < REDIS_RETRY_MAX_US ? us : REDIS_RETRY_MAX_US;
}

/* Whoever waits is told at last, and may ask again: of a line that is down. */
static void answer_none(struct redis_line *l)
{
    for (; l->count; l->count--) {
        struct waiting w = l->ring[l->first];
        l->first = (l->first + 1) % REDIS_PIPELINE_MAX;
        metrics_add(&l->config.metrics->requests[STORE_REQUEST_LOST]);
        w.done(w.context, NULL);
    }
}

static void go_down(struct redis_line *l, const char *why, uint64_t now_us)
{
    bool was_up = l->state == STATE_UP;
    tell_lost(l, why, now_us);
    if (was_up && now_us > l->since_us + REDIS_STEADY_US)
        l->failures = 0;
    if (l->redis)
        redisFree(l->redis);
    l->redis = NULL;
    l->state = STATE_DOWN;
    l->unsent = false;
    l->unfinished = 0;
    l->cause[0] = '\0';
    l->retry_us = now_us + wait_of(l->failures++);
    l->address++;
    if (was_up) {
        metrics_add(&l->config.metrics->lost);
        atomic_store_explicit(&l->config.metrics->up, 0, memory_order_relaxed);
    }
    answer_none(l);
}

void redis_line_give_up(struct redis_line *l, const char *why)
{
    if (!l->cause[0])
        snprintf(l->cause, sizeof(l->cause), "%s", why);
}

/* It is no Redis that speaks. */
static void on_malformed(struct redis_line *l, const char *what)
{
    metrics_add(&l->config.metrics->requests[STORE_REQUEST_MALFORMED]);
    redis_line_give_up(l, what);
}

/* ---- asking ---- */

static bool append(struct redis_line *l, const struct redis_request *r, redis_line_done *done, void *context)
{
    const char *parts[REDIS_ARGUMENTS_MAX];
    memcpy(parts, r->parts, sizeof(parts));
    if (l->count == REDIS_PIPELINE_MAX ||
        redisAppendCommandArgv(l->redis, r->count, parts, r->lengths) != REDIS_OK)
        return false;
    l->ring[(l->first + l->count++) % REDIS_PIPELINE_MAX] =
        (struct waiting){done, context, clock_monotonic_us()};
    l->unsent = true;
    return true;
}

/* A server that all instances keep busy with what is late by then would never get out of it. */
static bool is_slow(const struct redis_line *l)
{
    return l->count && clock_monotonic_us() - l->ring[l->first].asked_us > REDIS_SLOW_US;
}

bool redis_line_ask(struct redis_line *l, const struct redis_request *r, bool urgent, redis_line_done *done,
                    void *context)
{
    bool may = l->state == STATE_UP && !l->cause[0] && (urgent || !is_slow(l));
    if (may && append(l, r, done, context))
        return true;
    metrics_add(&l->config.metrics->requests[STORE_REQUEST_REFUSED]);
    return false;
}

/* ---- entering ---- */

static void tell_up(struct redis_line *l)
{
    if (l->said == SAID_LOST)
        log_info("the store %s is back", l->config.target->shown);
    else if (l->said == SAID_NOTHING)
        log_info("the store %s is there", l->config.target->shown);
    l->said = SAID_UP;
}

static void go_up(struct redis_line *l)
{
    l->state = STATE_UP;
    l->since_us = clock_monotonic_us();
    atomic_store_explicit(&l->config.metrics->up, 1, memory_order_relaxed);
    tell_up(l);
}

static void on_greeting(void *context, const struct redisReply *answer)
{
    struct redis_line *l = context;
    if (!answer)
        return;
    if (answer->type == REDIS_REPLY_ERROR) {
        char why[CAUSE_MAX];
        redis_target_mask(l->config.target, answer->str, answer->len, why, sizeof(why));
        redis_line_give_up(l, why);
        return;
    }
    bool is_digest = answer->type == REDIS_REPLY_STRING && answer->len == 40;
    if (!is_digest && answer->type != REDIS_REPLY_STATUS) {
        on_malformed(l, "it greets in an unknown way");
        return;
    }
    if (is_digest && l->scripts_loaded < l->config.script_count)
        memcpy(l->config.digests[l->scripts_loaded++], answer->str, 41);
    if (--l->greetings > 0)
        return;
    if (l->scripts_loaded == l->config.script_count)
        go_up(l);
    else
        on_malformed(l, "it takes no scripts");
}

/* The first word of an error at most is told of: servers and proxies cite what they do not understand. */
static void on_auth(void *context, const struct redisReply *answer)
{
    static const char *const words[] = {"WRONGPASS", "NOAUTH", "NOPERM", "ERR"};
    struct redis_line *l = context;
    const char *word = "an error";
    char why[CAUSE_MAX];
    if (!answer || answer->type != REDIS_REPLY_ERROR) {
        on_greeting(context, answer);
        return;
    }
    size_t len = strcspn(answer->str, " ");
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strlen(words[i]) == len && memcmp(answer->str, words[i], len) == 0)
            word = words[i];
    }
    snprintf(why, sizeof(why), "%s in answer to AUTH: look at -store's user and password", word);
    redis_line_give_up(l, why);
}

static void greet_by(struct redis_line *l, redis_line_done *done, int count, const char *a, const char *b,
                     const char *c)
{
    struct redis_request r = {.count = count, .parts = {a, b, c}};
    for (int i = 0; i < count; i++)
        r.lengths[i] = strlen(r.parts[i]);
    if (append(l, &r, done, l))
        l->greetings++;
    else
        redis_line_give_up(l, "no memory");
}

static void greet(struct redis_line *l, uint64_t now_us)
{
    const struct redis_target *t = l->config.target;
    char database[16];
    l->state = STATE_GREETING;
    l->since_us = now_us;
    l->greetings = l->scripts_loaded = 0;
    if (t->password[0])
        greet_by(l, on_auth, t->user[0] ? 3 : 2, "AUTH", t->user[0] ? t->user : t->password, t->password);
    snprintf(database, sizeof(database), "%u", t->database);
    greet_by(l, on_greeting, 2, "SELECT", database, NULL);
    for (unsigned i = 0; i < l->config.script_count; i++)
        greet_by(l, on_greeting, 3, "SCRIPT", "LOAD", l->config.scripts[i]);
}

/* ---- connecting ---- */

static int open_socket(const struct redis_line *l, struct sockaddr_storage *sa, socklen_t *len)
{
    const struct redis_target *t = l->config.target;
    if (t->path[0]) {
        struct sockaddr_un *un = (struct sockaddr_un *)sa;
        *un = (struct sockaddr_un){.sun_family = AF_UNIX};
        strcpy(un->sun_path, t->path);
        *len = sizeof(*un);
    } else {
        *len = addr_to_sockaddr(&t->addresses[l->address % t->count], false, sa);
    }
    return socket(sa->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Takes fd. */
static void begin(struct redis_line *l, int fd, uint64_t now_us)
{
    l->redis = redisConnectFd(fd);
    if (!l->redis) {
        close(fd);
        go_down(l, "no memory", now_us);
        return;
    }
    l->redis->flags &= ~REDIS_BLOCK;
    set_bounds(l);
    l->state = STATE_CONNECTING;
    l->since_us = now_us;
}

static void connect_now(struct redis_line *l, uint64_t now_us)
{
    struct sockaddr_storage sa;
    socklen_t len;
    int on = 1, fd = open_socket(l, &sa, &len);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS)) {
        const char *why = strerror(errno);
        if (fd >= 0)
            close(fd);
        go_down(l, why, now_us);
        return;
    }
    if (sa.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    begin(l, fd, now_us);
}

void redis_line_adopt(struct redis_line *l, int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    begin(l, fd, clock_monotonic_us());
}

static void look_at_connecting(struct redis_line *l, uint64_t now_us)
{
    struct pollfd p = {.fd = l->redis->fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);
    if (poll(&p, 1, 0) <= 0)
        return;
    if (getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error)
        go_down(l, strerror(error ? error : errno), now_us);
    else if (l->tls && redis_tls_begin(l->tls, l->redis, l->config.target->host) != 0)
        go_down(l, redis_tls_cause(l->redis->err ? l->redis->errstr : "TLS cannot be begun"), now_us);
    else
        greet(l, now_us);
}

/* ---- one turn ---- */

static void on_answer(struct redis_line *l, const struct redisReply *answer)
{
    if (!l->count) {
        on_malformed(l, "it answers what nobody asked");
        return;
    }
    struct waiting w = l->ring[l->first];
    l->first = (l->first + 1) % REDIS_PIPELINE_MAX;
    l->count--;
    metrics_add(&l->config.metrics->requests[STORE_REQUEST_ANSWERED]);
    w.done(w.context, answer);
}

/* All that have come whole. */
static void take_answers(struct redis_line *l)
{
    void *answer = NULL;
    int ret;
    while (!l->cause[0] && (ret = redisGetReplyFromReader(l->redis, &answer)) == REDIS_OK && answer) {
        on_answer(l, answer);
        freeReplyObject(answer);
        answer = NULL;
        l->unfinished = l->redis->reader->len - l->redis->reader->pos;
    }
    if (!l->cause[0] && ret != REDIS_OK)
        on_malformed(l, "it answers in no form of Redis's");
}

/* Elements that are parsed are no longer in the reader's buffer, but in memory all the same. */
static void look_at_unfinished(struct redis_line *l)
{
    if (l->unfinished > REDIS_ANSWER_MAX)
        on_malformed(l, "an answer is too long");
    else if (l->unfinished && !l->count)
        on_malformed(l, "it answers what nobody asked");
}

/* Of reading or writing. */
static const char *failure_of(const struct redis_line *l)
{
    return l->tls ? redis_tls_cause(l->redis->errstr) : l->redis->errstr;
}

static void read_some(struct redis_line *l)
{
    const redisReader *reader = l->redis->reader;
    for (int i = 0; i < READS_MAX && !l->cause[0]; i++) {
        size_t before = reader->len;
        if (redisBufferRead(l->redis) != REDIS_OK) {
            redis_line_give_up(l, failure_of(l));
            return;
        }
        if (reader->len == before)
            return;
        l->unfinished += reader->len - before;
        take_answers(l);
        if (!l->cause[0])
            look_at_unfinished(l);
    }
}

static void write_some(struct redis_line *l)
{
    int done = 0;
    if (!l->unsent || l->cause[0])
        return;
    if (redisBufferWrite(l->redis, &done) != REDIS_OK)
        redis_line_give_up(l, failure_of(l));
    l->unsent = !done;
}

static bool is_overdue(const struct redis_line *l, uint64_t now_us)
{
    uint64_t since_us = l->count && l->state == STATE_UP ? l->ring[l->first].asked_us : l->since_us;
    return (l->count || l->state != STATE_UP) && now_us > since_us + REDIS_TIMEOUT_US;
}

void redis_line_turn(struct redis_line *l, uint64_t now_us)
{
    if (l->state == STATE_DOWN && now_us >= l->retry_us)
        connect_now(l, now_us);
    if (l->state == STATE_CONNECTING)
        look_at_connecting(l, now_us);
    if (l->state == STATE_GREETING || l->state == STATE_UP) {
        read_some(l);
        write_some(l);
    }
    if (l->state != STATE_DOWN && !l->cause[0] && is_overdue(l, now_us))
        redis_line_give_up(l, "it does not answer within 2 s");
    if (l->cause[0]) {
        char why[CAUSE_MAX];
        memcpy(why, l->cause, sizeof(why));
        go_down(l, why, now_us);
    }
}

struct store_watch redis_line_watch(const struct redis_line *l)
{
    struct store_watch w = {.fd = -1, .at_us = l->retry_us};
    if (l->state == STATE_DOWN)
        return w;
    w.fd = l->redis->fd;
    /* In a handshake what is unsent waits for what comes. */
    bool writes = l->unsent && !(l->tls && l->state == STATE_GREETING);
    w.events = (short)(l->state == STATE_CONNECTING ? POLLOUT : writes ? POLLIN | POLLOUT : POLLIN);
    w.at_us = UINT64_MAX;
    if (l->state != STATE_UP)
        w.at_us = l->since_us + REDIS_TIMEOUT_US + 1;
    else if (l->count)
        w.at_us = l->ring[l->first].asked_us + REDIS_TIMEOUT_US + 1;
    return w;
}

/* ---- life ---- */

int redis_line_new(const struct redis_line_config *config, struct redis_line **out)
{
    struct redis_line *l = calloc(1, sizeof(*l));
    if (!l)
        return ERR_NOMEM;
    l->config = *config;
    int err = config->target->tls ? redis_tls_new(&l->tls) : 0;
    if (err)
        free(l);
    else
        *out = l;
    return err;
}

void redis_line_free(struct redis_line *l)
{
    if (!l)
        return;
    if (l->redis)
        redisFree(l->redis);
    l->redis = NULL;
    l->state = STATE_DOWN;
    answer_none(l);
    redis_tls_free(l->tls);
    free(l);
}
