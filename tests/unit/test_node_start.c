/* SPDX-License-Identifier: Apache-2.0 */
/* What a start leaves in its key folder: one that fails, however late, nothing; one that succeeds its key, by the time it
 * has said its id. Whole nodes, of which one part fails to start. */

#include "node/cache/cache_file.h"
#include "node_pair.h"

#include "base/clock.h"
#include "crypto/keyfile.h"
#include "node/rendezvous/rendezvous.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY_TEXT_MAX 16384

/* ---- parts that fail ---- */

static struct fault {
    unsigned fork, fork_of_helper, thread; /* the n-th; 0: none */
    bool hangs, no_rendezvous, no_library, mute_helper;
} fault;

static pid_t node_pid; /* where a fault is wanted: what it has forked is another process */
static unsigned forks, threads;

pid_t __real_fork(void);
pid_t __wrap_fork(void);
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __real_rendezvous_new(const struct rendezvous_config *, struct rendezvous **);
int __wrap_rendezvous_new(const struct rendezvous_config *, struct rendezvous **);
int __real_name_helper_run(int, const void *);
int __wrap_name_helper_run(int, const void *);
void *__real_dlopen(const char *, int);
void *__wrap_dlopen(const char *, int);

pid_t __wrap_fork(void)
{
    bool fails = getpid() == node_pid ? ++forks == fault.fork : node_pid && fault.fork_of_helper;
    if (!fails)
        return __real_fork();
    errno = EAGAIN;
    return -1;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    return ++threads == fault.thread ? EAGAIN : __real_pthread_create(thread, attr, run, arg);
}

int __wrap_rendezvous_new(const struct rendezvous_config *config, struct rendezvous **out)
{
    while (fault.hangs)
        pause();
    return fault.no_rendezvous ? ERR_NOMEM : __real_rendezvous_new(config, out);
}

int __wrap_name_helper_run(int fd, const void *context)
{
    while (fault.mute_helper)
        pause();
    return __real_name_helper_run(fd, context);
}

void *__wrap_dlopen(const char *name, int flags)
{
    return __real_dlopen(fault.no_library ? "libnone.so" : name, flags);
}

static void set_fault(void *context)
{
    fault = *(const struct fault *)context;
    node_pid = getpid();
}

/* ---- folders ---- */

/* But for the folder of records, which may be empty. */
static unsigned count_files(const char *dir)
{
    unsigned count = 0;
    DIR *d = opendir(dir);
    if (!d)
        return 0;
    for (const struct dirent *e; (e = readdir(d));)
        count += strcmp(e->d_name, CACHE_FOLDER) != 0 &&
                 (e->d_name[0] != '.' || strncmp(e->d_name, ".node", 5) == 0);
    closedir(d);
    return count;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static const char *key_dir(const struct twin *t)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/fresh", t->dir);
    return path;
}

static size_t read_key(const char *dir, char *out)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/" IDENTITY_KEY_FILE, dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t len = fread(out, 1, KEY_TEXT_MAX, f);
    fclose(f);
    return len;
}

/* ---- starts that fail ---- */

static const struct start {
    const char *name, *says;
    struct fault fault;
    const char *flags[4];
} starts[] = {
    {"helper processes", "cannot start the helper processes: ", {.fork = 1}, {NULL}},
    {"the API's folder", "cannot open the API socket in ", {0}, {"-run", "/dev/null", NULL}},
    {"the process that keeps the key", "cannot start the process that keeps the key", {.fork = 2}, {NULL}},
    {"the log's thread", "cannot start the thread that writes the log", {.thread = 1}, {NULL}},
    {"the thread of trunks", "cannot start the thread for datagrams over TCP", {.thread = 2}, {NULL}},
    {"the worker", "cannot start the data workers", {.thread = 3}, {NULL}},
    {"the client of the backbone", "cannot start the backbone client", {.no_rendezvous = true}, {NULL}},
    {"a helper's process", "its process does not start: the system", {.fork_of_helper = 1}, {NULL}},
    {"libcurl", "libcurl cannot be loaded", {.no_library = true}, {NULL}},
};

static void fail_start(struct twin *t, const struct start *s, const char *keydir)
{
    const char *flags[10] = {"-keydir", keydir, "-backbone", "http://127.0.0.1:1"};
    for (unsigned i = 0; i < 4; i++)
        flags[4 + i] = s->flags[i];
    struct fault wanted = s->fault;
    twin_start(t, flags, set_fault, &wanted);
    assert_int_equal(twin_end(t, 0), EXIT_FAILURE);
    if (!strstr(t->lines, s->says))
        fail_msg("%s: not said \"%s\":\n%s", s->name, s->says, t->lines);
}

static void failed_start_leaves_no_key(void **state)
{
    struct twin t;
    (void)state;
    twin_init(&t, "site-a", 1);
    for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
        fail_start(&t, &starts[i], key_dir(&t));
        if (exists(key_dir(&t)))
            fail_msg("%s: a folder is left, %u files in it", starts[i].name, count_files(key_dir(&t)));
        assert_null(strstr(t.lines, "Peer ID"));
        assert_null(strstr(t.lines, "made a new one"));
    }
    twin_fini(&t);
}

static void failed_start_leaves_no_key_in_a_folder_that_was_there(void **state)
{
    struct twin t;
    (void)state;
    twin_init(&t, "site-a", 1);
    assert_int_equal(mkdir(key_dir(&t), 0700), 0);
    for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
        fail_start(&t, &starts[i], key_dir(&t));
        assert_true(exists(key_dir(&t)));
        if (count_files(key_dir(&t)))
            fail_msg("%s: %u files are left", starts[i].name, count_files(key_dir(&t)));
    }
    twin_fini(&t);
}

static void failed_start_does_not_touch_a_key_that_was_there(void **state)
{
    static char before[KEY_TEXT_MAX], after[KEY_TEXT_MAX];
    struct twin t;
    (void)state;
    twin_init(&t, "site-a", 1);
    size_t len = read_key(t.dir, before);
    for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
        if (starts[i].fault.fork == 2)
            continue; /* no such process is needed */
        fail_start(&t, &starts[i], t.dir);
        assert_int_equal(read_key(t.dir, after), len);
        assert_memory_equal(before, after, len);
    }
    assert_int_equal(count_files(t.dir), 1);
    twin_fini(&t);
}

/* ---- starts that succeed ---- */

static void start_fresh(struct twin *t)
{
    twin_init(t, "site-a", 1);
    twin_start(t, FLAGS("-keydir", key_dir(t)), NULL, NULL);
}

/* The next start is the same node, with the key that the first one left. */
static void start_again(struct twin *t, const char *id)
{
    twin_start(t, FLAGS("-keydir", key_dir(t)), NULL, NULL);
    twin_wait_log(t, id);
    twin_wait_log(t, "this node's key is in ");
    twin_wait_log(t, "are sealed with"); /* from there on signals are awaited */
    assert_int_equal(twin_end(t, SIGTERM), 0);
    assert_null(strstr(t->lines, "made a new one"));
    assert_int_equal(count_files(key_dir(t)), 1);
}

static void id_that_was_said_outlives_a_kill(void **state)
{
    char id[ID_TEXT_MAX];
    struct twin t;
    (void)state;
    start_fresh(&t);
    twin_wait_log(&t, "Peer ID: ");
    assert_int_equal(twin_end(&t, SIGKILL), 128 + SIGKILL);
    snprintf(id, sizeof(id), "%s", strstr(t.lines, "Peer ID: ") + strlen("Peer ID: "));
    start_again(&t, id);
    twin_fini(&t);
}

static void fresh_key_stays_after_an_orderly_end(void **state)
{
    char id[ID_TEXT_MAX];
    struct twin t;
    (void)state;
    start_fresh(&t);
    twin_wait_log(&t, "Peer ID: ");
    twin_wait_log(&t, "made a new one");
    assert_int_equal(twin_end(&t, SIGTERM), 0);
    snprintf(id, sizeof(id), "%s", strstr(t.lines, "Peer ID: ") + strlen("Peer ID: "));
    start_again(&t, id);
    twin_fini(&t);
}

/* Its process sees to it. */
static void start_that_is_killed_leaves_no_key(void **state)
{
    struct twin t;
    struct fault wanted = {.hangs = true};
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    (void)state;
    twin_init(&t, "site-a", 1);
    twin_start(&t, FLAGS("-keydir", key_dir(&t), "-backbone", "http://127.0.0.1:1"), set_fault, &wanted);
    twin_wait_log(&t, "no sandbox");
    assert_int_equal(count_files(key_dir(&t)), 1);
    assert_int_equal(twin_end(&t, SIGKILL), 128 + SIGKILL);
    while (exists(key_dir(&t)) && clock_monotonic_us() < until_us)
        poll(NULL, 0, 1);
    assert_false(exists(key_dir(&t)));
    assert_null(strstr(t.lines, "Peer ID"));
    twin_fini(&t);
}

/* ---- starts that are ended ---- */

static void signal_ends_a_start_that_waits_for_a_helper(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct twin t;
    struct fault wanted = {.mute_helper = true};
    (void)state;
    twin_init(&t, "site-a", 1);
    for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        twin_start(&t, FLAGS("-keydir", key_dir(&t)), set_fault, &wanted);
        twin_wait_log(&t, "are sealed with"); /* what comes before the wait */
        kill(t.pid, SIGHUP);                  /* it waits, until there is something to be read again */
        assert_int_equal(twin_end(&t, signals[i]), 0);
        twin_wait_log(&t, ": stopping");
        assert_false(twin_log_has(&t, "does not start") || twin_log_has(&t, "SIGHUP"));
        assert_false(exists(key_dir(&t)));
    }
    twin_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_start_leaves_no_key),
        cmocka_unit_test(failed_start_leaves_no_key_in_a_folder_that_was_there),
        cmocka_unit_test(failed_start_does_not_touch_a_key_that_was_there),
        cmocka_unit_test(id_that_was_said_outlives_a_kill),
        cmocka_unit_test(fresh_key_stays_after_an_orderly_end),
        cmocka_unit_test(start_that_is_killed_leaves_no_key),
        cmocka_unit_test(signal_ends_a_start_that_waits_for_a_helper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
