/* SPDX-License-Identifier: Apache-2.0 */
/* What a shared store answers, or whoever speaks for it: each question is answered once, nothing is shown that a person or
 * JSON cannot take, and whatever is no answer costs the connection at most. */

#include "backbone/store_redis.h"

#include "../unit/backbone_entry.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOW_S     1800000000ull
#define INPUT_MAX 60000
#define DIGEST    "$40\r\n0123456789012345678901234567890123456789\r\n"
#define QUESTIONS 7

static const char hello[] = "+OK\r\n" DIGEST DIGEST DIGEST DIGEST DIGEST DIGEST;
static unsigned answered;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void on_done(void *context, int err, uint64_t number)
{
    (void)context;
    answered++;
    check(number <= STORE_NUMBER_MAX && err <= 0);
}

static bool on_entry(void *context, const struct store_entry *e)
{
    (void)context;
    check(e->seq <= STORE_NUMBER_MAX && e->expiry_s <= STORE_NUMBER_MAX);
    check(e->record.len <= RECORD_MAX && e->signature.len <= IDENTITY_SIGNATURE_LEN);
    check(text_ok(e->name, strlen(e->name)) && text_ok(e->network, strlen(e->network)));
    check(!e->linked || (strncmp(e->linked, "http", 4) == 0 && text_ok(e->linked, strlen(e->linked))));
    return true;
}

static void on_heard(void *context, int err, const struct store_heard *heard)
{
    (void)context;
    answered++;
    check((err == 0) == (heard != NULL));
    for (unsigned i = 0; heard && i < heard->count; i++)
        check(strncmp(heard->urls[i], "http", 4) == 0);
}

static void ask_all(struct store *s)
{
    static const struct store_beat beat = {.instance = "a", .url = "http://a.example", .generation = "g"};
    const struct store_query query = {.network = "blue", .limit = 5, .now_s = NOW_S};
    struct test_entry t;
    test_entry_init(&t, 1, 1, NOW_S + 10);
    store_put(s, &t.entry, NOW_S, on_done, NULL);
    store_get(s, &t.entry.id, NOW_S, on_entry, on_done, NULL);
    store_list(s, &query, on_entry, on_done, NULL);
    store_count(s, NOW_S, on_done, NULL);
    store_prune(s, NOW_S, on_done, NULL);
    store_link(s, &t.entry.id, "a", false, on_done, NULL);
    store_beat(s, &beat, on_heard, NULL);
}

/* Until nothing is left of it, or of the connection. */
static void read_all(struct store *s)
{
    for (int i = 0; i < 8 && store_watch(s).fd >= 0; i++)
        store_turn(s, clock_monotonic_us());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct redis_target nowhere = {.path = "/nonexistent/redis.sock"};
    static struct store_metrics metrics;
    struct store *s;
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR - 1);
    if (size > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return 0;
    check(store_redis_open(&nowhere, &metrics, 100, &s) == 0);
    store_redis_adopt(s, ends[0]);
    check(send(ends[1], hello, sizeof(hello) - 1, 0) > 0);
    store_turn(s, clock_monotonic_us());
    answered = 0;
    ask_all(s);
    check(send(ends[1], data, size, MSG_DONTWAIT) == (ssize_t)size);
    read_all(s);
    store_close(s);
    check(answered == QUESTIONS);
    close(ends[1]);
    return 0;
}
