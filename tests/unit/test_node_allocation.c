/* SPDX-License-Identifier: Apache-2.0 */
/* Whole nodes, in each life of which one allocation fails: at its start, while it connects, renews its keys, answers its
 * API, or stops. Nothing crashes, hangs or leaks (the build with ASan tells). A start that fails says so in one line, with
 * no wrong remedy, and a running node carries frames again. Lives are a sample; with SHADOWMESH_LONG it is all of our own
 * allocations, and more of OpenSSL's. */

#include "failing_memory.h"
#include "node_pair.h"

#include "crypto/library.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <uv.h>

#define COUPLES        8  /* live at once: they wait more than they compute */
#define LIVES          16 /* of a sample, of each kind */
#define LIBRARY_LIVES  8
#define LIBRARY_STARTS 16
#define LONG_TIMES     16 /* a sample's size, for those who have time */
#define LIBRARY_FIRST  3 /* OpenSSL waits for itself when it finds no memory for the locks of its own start */
#define ELSEWHERE      "1123456789012345678901234567890123456789"

/* What a node's process shares with the test. */
struct life {
    struct failing_memory memory;
    enum memory_source source;
    unsigned long start_at, run_at; /* what fails of its start, and of its loop */
    _Atomic bool runs;              /* its loop does */
    unsigned long starting;         /* allocations until then */
};

static struct life *mine; /* in the node's process */

static struct life *new_life(void)
{
    struct life *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(l != MAP_FAILED);
    return l;
}

static void free_life(struct life *l)
{
    munmap(l, sizeof(*l));
}

/* What comes behind is not the node's: in the build that counts lines, a library's that writes the counters. */
static void end_life(void)
{
    memory_disarm(&mine->memory, mine->source);
}

/* In the node's process, first of all. */
static void begin_life(void *context)
{
    mine = context;
    assert_int_equal(atexit(end_life), 0);
    memory_use(&mine->memory);
    memory_arm(&mine->memory, mine->source, mine->start_at);
}

/* The start is over, or its end begins. */
int __real_uv_run(uv_loop_t *loop, uv_run_mode mode);
int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode);
int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    if (mine && !mine->runs) {
        mine->runs = true;
        mine->starting = mine->memory.counted[mine->source];
        memory_arm(&mine->memory, mine->source, mine->run_at);
    }
    return __real_uv_run(loop, mode);
}

static unsigned count_errors(const struct twin *t)
{
    unsigned count = 0;
    for (const char *at = t->lines; (at = strstr(at, "Z error ")) != NULL; at++)
        count++;
    return count;
}

/* How many lives of a sample there are, and which of all allocations fails in the i-th: the first ones, and others evenly
 * spread. */
static unsigned lives_of(unsigned long all, unsigned sample)
{
    unsigned long wanted = getenv("SHADOWMESH_LONG") ? (unsigned long)sample * LONG_TIMES : sample;
    return (unsigned)(all < wanted ? all : wanted);
}

static unsigned long pick(unsigned long all, unsigned i, unsigned lives)
{
    return i < COUPLES ? 1 + i : 1 + (unsigned long)((uint64_t)i * all / lives);
}

/* ---- starts ---- */

/* The node starts with all that allocates: a backbone, names, peers. Whether allocation `at` was made. */
static bool start_once(struct twin *t, struct life *l, enum memory_source source, unsigned long at)
{
    *l = (struct life){.source = source, .start_at = at};
    twin_start(t,
               FLAGS("-backbone", "http://127.0.0.1:1", "-allow", "0123456789012345678901234567890123456789",
                     "-connect", ELSEWHERE "@localhost"),
               begin_life, l);
    bool runs = twin_runs(t);
    int code = twin_end(t, runs ? SIGTERM : 0);
    unsigned errors = count_errors(t);
    bool says_why = runs || (twin_log_has(t, "emory") && !twin_log_has(t, " move"));
    if (code != (runs ? EXIT_SUCCESS : EXIT_FAILURE) || errors != !runs || !says_why)
        fail_msg("allocation %lu of source %d: %s, exit code %d, and it says\n%s", at, source,
                 runs ? "it runs" : "it does not start", code, t->lines);
    return !runs || l->starting >= at;
}

static void start_without_memory_says_so_and_fails(void **state)
{
    struct life *l = new_life();
    struct twin t;
    unsigned long at = 1;
    (void)state;
    twin_init(&t, "site-a", 1);
    while (start_once(&t, l, MEMORY_OURS, at))
        at++;
    assert_true(at > 50);
    twin_fini(&t);
    free_life(l);
}

static void start_says_so_too_when_the_library_finds_none(void **state)
{
    struct life *l = new_life();
    struct twin t;
    (void)state;
    twin_init(&t, "site-a", 1);
    start_once(&t, l, MEMORY_LIBRARY, 0);
    unsigned long all = l->starting - LIBRARY_FIRST;
    unsigned lives = lives_of(all, LIBRARY_STARTS);
    assert_true(all > 1000);
    for (unsigned i = 0; i < lives; i++)
        start_once(&t, l, MEMORY_LIBRARY, LIBRARY_FIRST - 1 + pick(all, i, lives));
    twin_fini(&t);
    free_life(l);
}

/* ---- pairs ---- */

/* The acceptor goes through all lives, the dialler has many. */
static struct couple {
    struct twin dialler, acceptor;
    struct life *life, *acceptor_life;
    unsigned long at, before; /* which allocation fails; ratchets that the one without failures had seen */
} couples[COUPLES];

static void start_dialler(struct couple *c)
{
    char at[ID_TEXT_MAX + 32];
    c->life->runs = false;
    twin_start(&c->dialler,
               FLAGS("-connect", twin_at(&c->acceptor, at, sizeof(at)), "-test-ratchet-seconds", "1"),
               begin_life, c->life);
}

static bool frame_comes(const struct twin *to, const uint8_t *frame)
{
    uint8_t got[TWIN_FRAME_MAX];
    struct pollfd p = {.fd = to->tap, .events = POLLIN};
    while (poll(&p, 1, 100) > 0)
        if (twin_receive_frame(to, got) == FRAME_LEN && memcmp(got, frame, FRAME_LEN) == 0)
            return true;
    return false;
}

static void fail_of(struct couple *c, const char *when, const char *what)
{
    twin_log_has(&c->dialler, ""); /* reads on */
    twin_log_has(&c->acceptor, "");
    fail_msg("%s: %s\n%s\n%s", when, what, c->dialler.lines, c->acceptor.lines);
}

static void pass(struct couple *c, bool back, const char *when)
{
    const struct twin *from = back ? &c->acceptor : &c->dialler, *to = back ? &c->dialler : &c->acceptor;
    static uint8_t fill;
    uint8_t frame[FRAME_LEN];
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    make_frame(frame, NULL, from->device->mac, ++fill);
    do {
        if (clock_monotonic_us() > until_us)
            fail_of(c, when, "no frame passes");
        twin_send_frame(from, frame, FRAME_LEN);
    } while (!frame_comes(to, frame));
}

/* Of the node's one peer. */
static unsigned long ratchets(const struct twin *t)
{
    json_t *status = twin_status(t);
    json_t *peer = json_array_get(json_object_get(status, "peers"), 0);
    unsigned long count = (unsigned long)json_integer_value(json_object_get(peer, "ratchets"));
    json_decref(status);
    return count;
}

static void pass_until_ratcheted(struct couple *c, const struct twin *sound, const char *when)
{
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    do {
        if (clock_monotonic_us() > until_us)
            fail_of(c, when, "no new keys");
        pass(c, false, when);
        pass(c, true, when);
    } while (ratchets(sound) <= c->before);
}

static void start_couple(struct couple *c)
{
    twin_init(&c->dialler, "site-a", 1);
    twin_init(&c->acceptor, "site-b", 2);
    c->life = new_life();
    c->acceptor_life = new_life();
    twin_start(&c->acceptor, FLAGS("-allow", c->dialler.id, "-test-ratchet-seconds", "1"), begin_life,
               c->acceptor_life);
}

static int start_couples(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUPLES; i++)
        start_couple(&couples[i]);
    return 0;
}

static int stop_couples(void **state)
{
    int code = 0;
    (void)state;
    for (unsigned i = 0; i < COUPLES; i++) {
        struct couple *c = &couples[i];
        code |= twin_end(&c->acceptor, SIGTERM);
        twin_fini(&c->dialler);
        twin_fini(&c->acceptor);
        free_life(c->life);
        free_life(c->acceptor_life);
    }
    return code;
}

/* Of whom accepts from now on, or of who dials after its start. */
static void begin(struct couple *c, enum memory_source source, bool accepts, unsigned long at)
{
    assert_true(twin_runs(&c->acceptor));
    c->at = at;
    c->life->source = source;
    c->life->run_at = accepts ? 0 : at;
    c->before = accepts ? 0 : ratchets(&c->acceptor);
    if (accepts)
        memory_arm(&c->acceptor_life->memory, source, at);
    start_dialler(c);
}

/* How many allocations there were. */
static unsigned long live(struct couple *c, bool accepts)
{
    char when[64];
    enum memory_source source = c->life->source;
    struct failing_memory *memory = accepts ? &c->acceptor_life->memory : &c->life->memory;
    snprintf(when, sizeof(when), "allocation %lu of source %d fails at the %s", c->at, source,
             accepts ? "acceptor" : "dialler");
    pass(c, false, when);
    pass(c, true, when);
    pass_until_ratcheted(c, accepts ? &c->dialler : &c->acceptor, when);
    int code = twin_end(&c->dialler, SIGTERM);
    memory_disarm(memory, source);
    if (code || count_errors(&c->dialler) || count_errors(&c->acceptor))
        fail_of(c, when, "an error, or a wrong exit code");
    return memory->counted[source];
}

static void outlive_failures(enum memory_source source, bool accepts, unsigned sample)
{
    begin(&couples[0], source, accepts, 0);
    unsigned long all = live(&couples[0], accepts);
    unsigned lives = lives_of(all, sample);
    for (unsigned first = 0; first < lives; first += COUPLES) {
        unsigned count = lives - first < COUPLES ? lives - first : COUPLES;
        for (unsigned i = 0; i < count; i++)
            begin(&couples[i], source, accepts, pick(all, first + i, lives));
        for (unsigned i = 0; i < count; i++)
            live(&couples[i], accepts);
    }
}

static void dialler_outlives_any_allocation_that_fails(void **state)
{
    (void)state;
    outlive_failures(MEMORY_OURS, false, LIVES);
}

static void acceptor_outlives_any_allocation_that_fails(void **state)
{
    (void)state;
    outlive_failures(MEMORY_OURS, true, LIVES);
}

/* Of one that has had a handshake: where OpenSSL finds no memory to look an algorithm up for the first time, it never
 * finds that algorithm again. */
static void acceptor_outlives_allocations_of_the_library_that_fail(void **state)
{
    (void)state;
    outlive_failures(MEMORY_LIBRARY, true, LIBRARY_LIVES);
}

/* ---- ends ---- */

static struct couple *connected(void)
{
    struct couple *c = &couples[0];
    begin(c, MEMORY_OURS, false, 0);
    pass(c, false, "at first");
    pass(c, true, "at first");
    return c;
}

static void stop_needs_no_memory(void **state)
{
    bool failed = true;
    (void)state;
    for (unsigned long at = 1; failed; at++) {
        struct couple *c = connected();
        memory_arm(&c->life->memory, MEMORY_OURS, at);
        int code = twin_end(&c->dialler, SIGTERM);
        failed = memory_disarm(&c->life->memory, MEMORY_OURS);
        if (code || count_errors(&c->dialler))
            fail_msg("allocation %lu of a stop fails: exit code %d\n%s", at, code, c->dialler.lines);
    }
}

/* ---- callers ---- */

static json_t *request_of(const struct couple *c, unsigned i)
{
    const char *peer = c->acceptor.id;
    json_t *const requests[] = {
        json_pack("{s:s}", "cmd", "status"),
        json_pack("{s:s}", "cmd", "fdb"),
        json_pack("{s:s,s:s}", "cmd", "ping", "peer", peer),
        json_pack("{s:s,s:s}", "cmd", "allow", "id", ELSEWHERE),
        json_pack("{s:s,s:s,s:[s]}", "cmd", "connect", "id", ELSEWHERE, "addresses", "localhost:1"),
        json_pack("{s:s,s:s}", "cmd", "disconnect", "id", ELSEWHERE),
        json_pack("{s:s,s:s}", "cmd", "disallow", "id", ELSEWHERE),
    };
    json_t *request = NULL;
    for (unsigned k = 0; k < sizeof(requests) / sizeof(*requests); k++)
        if (k == i)
            request = requests[k];
        else
            json_decref(requests[k]);
    return request;
}

/* A caller is hung up on, refused or served; the next one is served. */
static void caller_costs_nothing_but_itself(void **state)
{
    struct couple *c = connected();
    json_t *request;
    (void)state;
    for (unsigned i = 0; (request = request_of(c, i)) != NULL; i++) {
        bool failed = true;
        for (unsigned long at = 1; failed; at++) {
            memory_arm(&c->life->memory, MEMORY_OURS, at);
            json_decref(twin_try(&c->dialler, json_incref(request)));
            failed = memory_disarm(&c->life->memory, MEMORY_OURS);
            json_decref(twin_status(&c->dialler));
        }
        json_decref(request);
    }
    pass(c, false, "after the calls");
    assert_int_equal(twin_end(&c->dialler, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_without_memory_says_so_and_fails),
        cmocka_unit_test(start_says_so_too_when_the_library_finds_none),
        cmocka_unit_test(dialler_outlives_any_allocation_that_fails),
        cmocka_unit_test(acceptor_outlives_any_allocation_that_fails),
        cmocka_unit_test(acceptor_outlives_allocations_of_the_library_that_fail),
        cmocka_unit_test(stop_needs_no_memory),
        cmocka_unit_test(caller_costs_nothing_but_itself),
    };
#ifdef __SANITIZE_THREAD__
    return 0; /* test_node has the same threads, and this takes minutes */
#endif
    return cmocka_run_group_tests(tests, start_couples, stop_couples);
}
