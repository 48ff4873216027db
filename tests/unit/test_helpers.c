/* SPDX-License-Identifier: Apache-2.0 */
/* Helper processes, really forked: what becomes of requests when one hangs, breaks, dies or lies, and that all are gone
 * with the node's end of the channel. The look-ups are this test's. */
#include "base/clock.h"
#include "base/log.h"
#include "net/sandbox.h"
#include "node/helper/helper_channel.h"
#include "node/helper/helper_client.h"
#include "node/helper/helper_keeper.h"
#include "node/helper/helpers.h"
#include "node/helper/name_client.h"
#include "node/helper/name_helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOUND_MS 20000
#define ASKED    24

struct asked {
    struct fixture *f;
    bool answered;
    struct addr address;
    unsigned count;
    char why[HELPER_TEXT_MAX];
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t bound;
    bool timed_out;
    struct helper_client *helper;
    struct name_client *names;
    struct asked asked[ASKED];
    unsigned answers;
};

static int forks_to_failure; /* 1: the next one; also in the children */

pid_t __real_fork(void);
pid_t __wrap_fork(void);

pid_t __wrap_fork(void)
{
    if (forks_to_failure > 0 && --forks_to_failure == 0) {
        errno = EAGAIN;
        return -1;
    }
    return __real_fork();
}

static char secret[] = "/tmp/test-helpers-XXXXXX";

/* ---- look-ups: addresses tell which processes did them ---- */

static void say_pid(struct addr *out, pid_t pid)
{
    *out = (struct addr){.family = 4};
    memcpy(out->ip, &pid, sizeof(pid));
}

static pid_t pid_of(const struct addr *a)
{
    pid_t pid;
    memcpy(&pid, a->ip, sizeof(pid));
    return pid;
}

static void open_secret(struct helper_message *answer)
{
    int fd = open(secret, O_RDONLY);
    helper_message_set_text(answer, fd >= 0 ? "it is open" : strerror(errno));
}

static void look_up(const char *host, struct helper_message *answer)
{
    if (strncmp(host, "hang", 4) == 0)
        for (;;)
            pause();
    if (strcmp(host, "break") == 0)
        raise(SIGKILL);
    if (strcmp(host, "secret") == 0)
        open_secret(answer);
    if (strcmp(host, "exec") == 0)
        execl("/bin/true", "true", NULL);
    if (strncmp(host, "good", 4) == 0)
        say_pid(&answer->addresses[answer->address_count++], getpid());
    if (strcmp(host, "helper") == 0)
        say_pid(&answer->addresses[answer->address_count++], getppid());
}

/* ---- the node's side ---- */

static void on_bound(uv_timer_t *timer)
{
    ((struct fixture *)timer->data)->timed_out = true;
}

static void run_until_answers(struct fixture *f, unsigned count)
{
    uv_timer_start(&f->bound, on_bound, BOUND_MS, 0);
    while (f->answers < count && !f->timed_out)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_timer_stop(&f->bound);
    assert_int_equal(f->answers, count);
}

static void on_answer(void *context, const struct addr *addresses, unsigned count, const char *why)
{
    struct asked *a = context;
    assert_false(a->answered);
    a->answered = true;
    a->count = count;
    if (count)
        a->address = addresses[0];
    snprintf(a->why, sizeof(a->why), "%s", why);
    a->f->answers++;
}

static struct asked *ask(struct fixture *f, unsigned i, const char *host)
{
    f->asked[i] = (struct asked){.f = f};
    assert_int_equal(name_client_ask(f->names, host, on_answer, &f->asked[i]), 0);
    return &f->asked[i];
}

static struct asked *ask_and_wait(struct fixture *f, unsigned i, const char *host)
{
    struct asked *a = ask(f, i, host);
    run_until_answers(f, f->answers + 1);
    return a;
}

static struct fixture *new_fixture(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->bound);
    f->bound.data = f;
    return f;
}

static int start_helper(struct fixture *f, int (*run)(int, const void *), const void *context, bool caged)
{
    struct helper_job job = {
        .title = "test: names", .name = "names", .fd = -1, .run = run, .context = context};
    int node;
    assert_int_equal(helper_channel_open(&node, &job.fd), 0);
    assert_int_equal(helper_keeper_start(&job, 1, &node, 1, caged), 0);
    const struct helper_client_config client = {&f->loop, "names"};
    return helper_client_new(&client, node, &f->helper);
}

static int setup_with(void **state, bool caged)
{
    struct fixture *f = new_fixture();
    const struct name_helper_config config = {caged, 1, look_up};
    *state = f;
    log_set_level(LOG_LEVEL_ERROR);
    return start_helper(f, name_helper_run, &config, caged) || name_client_new(f->helper, &f->names);
}

static int setup(void **state)
{
    return setup_with(state, false);
}

static int setup_caged(void **state)
{
    return setup_with(state, SANDBOX_DEFAULT); /* a sanitizer makes calls of its own */
}

/* The keeper is our child; it ends last of all. */
static int teardown(void **state)
{
    struct fixture *f = *state;
    int status = -1;
    name_client_free(f->names);
    helper_client_close(f->helper);
    uv_close((uv_handle_t *)&f->bound, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return waitpid(-1, &status, 0) > 0 && status == 0 ? 0 : -1;
}

static void name_is_looked_up_in_another_process(void **state)
{
    struct fixture *f = *state;
    pid_t helper = pid_of(&ask_and_wait(f, 0, "helper")->address);
    const struct asked *a = ask_and_wait(f, 1, "good");
    assert_true(a->count == 1 && pid_of(&a->address) != helper && pid_of(&a->address) != getpid());
    assert_true(helper != getpid());
}

static void lookup_that_hangs_is_ended_and_the_others_go_on(void **state)
{
    struct fixture *f = *state;
    const struct asked *hangs = ask(f, 0, "hang");
    assert_int_equal(ask_and_wait(f, 1, "good")->count, 1);
    assert_false(hangs->answered);
    run_until_answers(f, 2);
    assert_int_equal(hangs->count, 0);
    assert_string_equal(hangs->why, "no name server answers within 1 s");
}

static void lookups_beyond_the_places_wait_for_one(void **state)
{
    struct fixture *f = *state;
    char host[16];
    for (unsigned i = 0; i < NAME_HELPER_LOOKUPS_MAX; i++) {
        snprintf(host, sizeof(host), "hang%u", i);
        ask(f, i, host);
    }
    const struct asked *last = ask(f, NAME_HELPER_LOOKUPS_MAX, "good");
    run_until_answers(f, NAME_HELPER_LOOKUPS_MAX + 1);
    assert_int_equal(last->count, 1);
    for (unsigned i = 0; i < NAME_HELPER_LOOKUPS_MAX; i++)
        assert_int_equal(f->asked[i].count, 0);
}

static void lookup_that_breaks_costs_itself_alone(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(ask_and_wait(f, 0, "break")->why, "the look-up broke off with status 0x9");
    assert_int_equal(ask_and_wait(f, 1, "good")->count, 1);
}

static void one_name_is_one_lookup_however_often_it_is_asked_for(void **state)
{
    struct fixture *f = *state;
    const struct asked *a = ask(f, 0, "good"), *b = ask(f, 1, "good"), *other = ask(f, 2, "good2");
    run_until_answers(f, 3);
    assert_int_equal(pid_of(&a->address), pid_of(&b->address));
    assert_int_not_equal(pid_of(&a->address), pid_of(&other->address));
}

static void who_was_forgotten_is_not_told(void **state)
{
    struct fixture *f = *state;
    const struct asked *forgotten = ask(f, 0, "good");
    const struct asked *kept = ask(f, 1, "good");
    name_client_forget(f->names, forgotten);
    run_until_answers(f, 1);
    assert_true(kept->answered && !forgotten->answered);
}

static void helper_that_is_killed_comes_back_and_what_was_asked_is_answered(void **state)
{
    struct fixture *f = *state;
    pid_t helper = pid_of(&ask_and_wait(f, 0, "helper")->address);
    const struct asked *lost = ask(f, 1, "hang");
    assert_int_equal(kill(helper, SIGKILL), 0);
    run_until_answers(f, 2);
    assert_true(lost->answered && lost->count == 0 && strstr(lost->why, "broke off"));
    pid_t next = pid_of(&ask_and_wait(f, 2, "helper")->address);
    assert_true(next > 0 && next != helper);
}

static void more_than_is_open_at_once_is_refused(void **state)
{
    struct fixture *f = *state;
    char host[16];
    int err = 0;
    unsigned i = 0;
    static struct asked ignored;
    for (; !err && i <= HELPER_CLIENT_OPEN_MAX; i++) {
        snprintf(host, sizeof(host), "hang%u", i);
        err = name_client_ask(f->names, host, on_answer, &ignored);
    }
    assert_int_equal(err, ERR_AGAIN);
    assert_int_equal(i, HELPER_CLIENT_OPEN_MAX + 1);
    name_client_forget(f->names, &ignored);
}

static void what_is_no_name_is_refused(void **state)
{
    struct fixture *f = *state;
    char longer[HELPER_TEXT_MAX + 1];
    memset(longer, 'a', sizeof(longer));
    longer[HELPER_TEXT_MAX] = '\0';
    assert_int_equal(name_client_ask(f->names, longer, on_answer, NULL), ERR_ARGUMENT);
    assert_int_equal(name_client_ask(f->names, "a\nb", on_answer, NULL), ERR_ARGUMENT);
}

static void name_that_fails_is_asked_for_less_and_less(void **state)
{
    uint64_t wait_us = 0, sum_us = 0;
    (void)state;
    for (unsigned failures = 0; failures < 10; failures++)
        sum_us += wait_us = name_client_wait_us(false, wait_us);
    assert_int_equal(sum_us, (1 + 2 + 4 + 8 + 16 + 32 + 4 * 60) * USEC_PER_SEC);
    assert_int_equal(name_client_wait_us(true, wait_us), USEC_PER_SEC);
}

/* ---- the cage ---- */

static void caged_helper_opens_no_file_of_ours_and_runs_no_program(void **state)
{
    struct fixture *f = *state;
    if (!SANDBOX_DEFAULT)
        skip();
    assert_string_equal(ask_and_wait(f, 0, "secret")->why, strerror(EACCES));
    const struct asked *exec = ask_and_wait(f, 1, "exec");
    char died[64];
    snprintf(died, sizeof(died), "the look-up broke off with status 0x%x", SIGSYS);
    assert_string_equal(exec->why, died);
    assert_int_equal(ask_and_wait(f, 2, "good")->count, 1);
}

/* ---- helpers that lie ---- */

static int send_nonsense(int fd, const void *context)
{
    const struct helper_message ready = {.kind = HELPER_READY};
    char byte;
    (void)context;
    if (helper_channel_send(fd, &ready) || recv(fd, &byte, 1, 0) != 1)
        return EXIT_FAILURE;
    (void)!send(fd, "nonsense", 8, 0);
    return recv(fd, &byte, 1, 0) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void helper_that_sends_no_message_is_cut_off(void **state)
{
    struct fixture *f = new_fixture();
    *state = f;
    assert_int_equal(start_helper(f, send_nonsense, NULL, false), 0);
    assert_int_equal(name_client_new(f->helper, &f->names), 0);
    assert_int_equal(ask_and_wait(f, 0, "good")->count, 0);
    assert_int_equal(name_client_ask(f->names, "good", on_answer, &f->asked[0]), ERR_CLOSED);
}

static int answer_other_tokens(int fd, const void *context)
{
    static struct helper_packet packet;
    struct helper_message m = {.kind = HELPER_READY};
    (void)context;
    if (helper_channel_send(fd, &m) || helper_channel_receive(fd, &packet))
        return EXIT_FAILURE;
    m = (struct helper_message){.kind = HELPER_NAME, .token = packet.message.token + 1};
    (void)!helper_channel_send(fd, &m);
    m.token--;
    strcpy(m.text, "the true one");
    (void)!helper_channel_send(fd, &m);
    (void)!helper_channel_send(fd, &m);
    return helper_channel_receive(fd, &packet) == ERR_CLOSED ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void answers_that_nobody_asked_for_are_ignored(void **state)
{
    struct fixture *f = new_fixture();
    *state = f;
    assert_int_equal(start_helper(f, answer_other_tokens, NULL, false), 0);
    assert_int_equal(name_client_new(f->helper, &f->names), 0);
    assert_string_equal(ask_and_wait(f, 0, "good")->why, "the true one");
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(f->answers, 1);
}

static int complain(int fd, const void *context)
{
    static struct helper_packet packet;
    struct helper_message m = {.kind = HELPER_READY};
    (void)context;
    if (helper_channel_send(fd, &m) || helper_channel_receive(fd, &packet))
        return EXIT_FAILURE;
    m.kind = HELPER_UNABLE;
    helper_message_set_text(&m, "it is not able to");
    for (unsigned i = 0; i < 50; i++)
        (void)!helper_channel_send(fd, &m);
    m = (struct helper_message){.kind = HELPER_NAME, .token = packet.message.token};
    (void)!helper_channel_send(fd, &m);
    return helper_channel_receive(fd, &packet) == ERR_CLOSED ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void helper_that_complains_again_and_again_is_told_of_once(void **state)
{
    struct fixture *f = new_fixture();
    FILE *lines = tmpfile();
    int saved = dup(STDERR_FILENO), count = 0;
    char line[256];
    *state = f;
    assert_non_null(lines);
    log_set_level(LOG_LEVEL_WARN);
    assert_int_equal(dup2(fileno(lines), STDERR_FILENO), STDERR_FILENO);
    int err = start_helper(f, complain, NULL, false);
    if (!err)
        err = name_client_new(f->helper, &f->names);
    if (!err)
        (void)ask_and_wait(f, 0, "good");
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(err, 0);
    rewind(lines);
    while (fgets(line, sizeof(line), lines))
        count += strstr(line, "does not start") != NULL;
    fclose(lines);
    assert_int_equal(count, 1);
}

static int be_unable(int fd, const void *context)
{
    struct helper_message m = {.kind = HELPER_UNABLE};
    (void)context;
    helper_message_set_text(&m, "it is not able to");
    (void)!helper_channel_send(fd, &m);
    return EXIT_FAILURE;
}

/* The teardown waits for its keeper. */
static int wait_for(int (*run)(int, const void *), char why[HELPER_TEXT_MAX])
{
    struct helper_job job = {.title = "test: names", .name = "names", .fd = -1, .run = run};
    struct helpers helpers = HELPERS_NONE;
    const char *title;
    assert_int_equal(helper_channel_open(&helpers.names, &job.fd), 0);
    assert_int_equal(helper_keeper_start(&job, 1, &helpers.names, 1, false), 0);
    int err = helpers_wait(&helpers, -1, &title, why);
    assert_string_equal(title, HELPERS_NAMES);
    helpers_close(&helpers);
    return err;
}

static void helper_that_cannot_start_fails_the_start(void **state)
{
    char why[HELPER_TEXT_MAX];
    *state = new_fixture();
    assert_int_equal(wait_for(be_unable, why), ERR_UNSUPPORTED);
    assert_string_equal(why, "it is not able to");
}

static int never_end(int fd, const void *context)
{
    const struct helper_message ready = {.kind = HELPER_READY};
    (void)context;
    (void)!helper_channel_send(fd, &ready);
    while (pause() < 0)
        continue;
    return EXIT_SUCCESS;
}

/* The teardown waits for its keeper, which ends last. */
static void helper_that_does_not_end_is_ended(void **state)
{
    struct fixture *f = new_fixture();
    *state = f;
    assert_int_equal(start_helper(f, never_end, NULL, SANDBOX_DEFAULT), 0);
}

/* ---- a system that starts no process ---- */

static void keeper_that_cannot_be_started_is_an_error(void **state)
{
    struct helper_job job = {.title = "test: names", .name = "names", .fd = -1, .run = be_unable};
    int node;
    (void)state;
    assert_int_equal(helper_channel_open(&node, &job.fd), 0);
    forks_to_failure = 1;
    assert_int_equal(helper_keeper_start(&job, 1, &node, 1, false), ERR_IO);
    assert_int_equal(errno, EAGAIN);
    close(node);
}

static void helper_that_cannot_be_started_fails_the_start(void **state)
{
    char why[HELPER_TEXT_MAX];
    *state = new_fixture();
    forks_to_failure = 2;
    assert_int_equal(wait_for(never_end, why), ERR_UNSUPPORTED);
    forks_to_failure = 0;
    assert_string_equal(why, "the system starts no process for it");
}

static int breaks[2]; /* a pipe: a helper breaks for each byte */

static int break_or_serve(int fd, const void *context)
{
    const struct helper_message ready = {.kind = HELPER_READY};
    char byte;
    (void)context;
    if (read(breaks[0], &byte, 1) == 1)
        raise(SIGKILL);
    return helper_channel_send(fd, &ready) == 0 && recv(fd, &byte, 1, 0) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void helper_that_breaks_at_its_start_is_started_again(void **state)
{
    char why[HELPER_TEXT_MAX];
    *state = new_fixture();
    assert_int_equal(pipe2(breaks, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(write(breaks[1], "x", 1), 1);
    assert_int_equal(wait_for(break_or_serve, why), 0);
    close(breaks[0]);
    close(breaks[1]);
}

static int leave_at_once(int fd, const void *context)
{
    (void)fd, (void)context;
    return EXIT_SUCCESS;
}

static void helper_that_leaves_at_its_start_fails_the_start(void **state)
{
    char why[HELPER_TEXT_MAX];
    *state = new_fixture();
    assert_int_equal(wait_for(leave_at_once, why), ERR_CLOSED);
    assert_string_equal(why, err_str(ERR_CLOSED));
}

/* The teardown waits for the keeper, which is about to try again. */
static void keeper_that_could_start_nothing_ends_with_its_node(void **state)
{
    struct fixture *f = new_fixture();
    *state = f;
    log_set_level(LOG_LEVEL_ERROR);
    forks_to_failure = 2;
    assert_int_equal(start_helper(f, be_unable, NULL, false), 0);
    forks_to_failure = 0;
}

static void lookup_that_cannot_be_started_is_told(void **state)
{
    forks_to_failure = 3;
    assert_int_equal(setup(state), 0);
    struct fixture *f = *state;
    forks_to_failure = 0;
    assert_string_equal(ask_and_wait(f, 0, "good")->why, "the system starts no process for it");
    assert_int_equal(ask_and_wait(f, 1, "good")->count, 1);
}

static int make_secret(void **state)
{
    int fd = mkstemp(secret);
    (void)state;
    close(fd);
    return fd < 0;
}

static int remove_secret(void **state)
{
    (void)state;
    return unlink(secret);
}

int main(void)
{
#define with_names(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        with_names(name_is_looked_up_in_another_process),
        with_names(lookup_that_hangs_is_ended_and_the_others_go_on),
        with_names(lookups_beyond_the_places_wait_for_one),
        with_names(lookup_that_breaks_costs_itself_alone),
        with_names(one_name_is_one_lookup_however_often_it_is_asked_for),
        with_names(who_was_forgotten_is_not_told),
        with_names(helper_that_is_killed_comes_back_and_what_was_asked_is_answered),
        with_names(more_than_is_open_at_once_is_refused),
        with_names(what_is_no_name_is_refused),
        cmocka_unit_test(name_that_fails_is_asked_for_less_and_less),
        cmocka_unit_test_setup_teardown(caged_helper_opens_no_file_of_ours_and_runs_no_program, setup_caged,
                                        teardown),
        cmocka_unit_test_teardown(helper_that_sends_no_message_is_cut_off, teardown),
        cmocka_unit_test_teardown(answers_that_nobody_asked_for_are_ignored, teardown),
        cmocka_unit_test_teardown(helper_that_complains_again_and_again_is_told_of_once, teardown),
        cmocka_unit_test_teardown(helper_that_cannot_start_fails_the_start, teardown),
        cmocka_unit_test_teardown(helper_that_does_not_end_is_ended, teardown),
        cmocka_unit_test(keeper_that_cannot_be_started_is_an_error),
        cmocka_unit_test_teardown(helper_that_cannot_be_started_fails_the_start, teardown),
        cmocka_unit_test_teardown(helper_that_breaks_at_its_start_is_started_again, teardown),
        cmocka_unit_test_teardown(helper_that_leaves_at_its_start_fails_the_start, teardown),
        cmocka_unit_test_teardown(keeper_that_could_start_nothing_ends_with_its_node, teardown),
        cmocka_unit_test_teardown(lookup_that_cannot_be_started_is_told, teardown),
    };
    return cmocka_run_group_tests(tests, make_secret, remove_secret);
}
