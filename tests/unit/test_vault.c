/* SPDX-License-Identifier: Apache-2.0 */
/* base/vault: what the kernel says of its pages, and that objects are whole, apart, zero and wiped. */

#include "base/vault.h"

#include "smaps.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OBJECTS 2000
#define ROUNDS  50000

static void pages_are_locked_out_of_dumps_and_wiped_on_fork(void **state)
{
    static const size_t lens[] = {1, 48, 1152, 8192, 8193, 100000, 1000000};
    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        char *p = vault_alloc(lens[i]);
        assert_non_null(p);
        assert_true(smaps_has(p, "lo dd wf") && smaps_has(p + lens[i] - 1, "lo dd wf"));
        vault_free(p);
    }
    void *heap = malloc(100);
    assert_false(smaps_has(heap, "lo"));
    free(heap);
}

static void child_of_a_fork_sees_zeros_and_can_go_on(void **state)
{
    char *p = vault_alloc(100), *freed = vault_alloc(100);
    int status;
    (void)state;
    memset(p, 's', 100);
    vault_free(freed);
    pid_t child = fork();
    if (child == 0) {
        bool ok = true;
        for (int i = 0; i < 100; i++)
            ok = ok && p[i] == 0;
        for (int i = 0; i < 1000; i++) {
            char *q = vault_alloc(100);
            ok = ok && q && q != p;
            memset(q, 'x', 100);
        }
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(p[99], 's');
    vault_free(p);
}

static bool is_all(const uint8_t *p, uint8_t byte, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != byte)
            return false;
    return true;
}

static size_t random_len(unsigned *seed)
{
    static const size_t spans[] = {64, 512, 4096, 9000, 70000};
    return 1 + (size_t)rand_r(seed) % spans[(unsigned)rand_r(seed) % 5];
}

static void objects_are_aligned_zero_and_never_overlap(void **state)
{
    static struct {
        uint8_t *p, mark;
        size_t len;
    } objects[OBJECTS];
    unsigned seed = 7;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned at = (unsigned)rand_r(&seed) % OBJECTS;
        if (objects[at].p) {
            assert_true(is_all(objects[at].p, objects[at].mark, objects[at].len));
            vault_free(objects[at].p);
            objects[at].p = NULL;
            continue;
        }
        objects[at].len = random_len(&seed);
        objects[at].mark = (uint8_t)(1 + rand_r(&seed) % 255);
        uint8_t *p = objects[at].p = vault_alloc(objects[at].len);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % VAULT_ALIGN, 0);
        assert_true(vault_size(p) >= objects[at].len);
        assert_true(is_all(p, 0, objects[at].len));
        memset(p, objects[at].mark, objects[at].len);
    }
    for (unsigned at = 0; at < OBJECTS; at++)
        vault_free(objects[at].p);
}

static bool only_says_yes;
int __real_madvise(void *p, size_t len, int advice);
int __wrap_madvise(void *p, size_t len, int advice);

int __wrap_madvise(void *p, size_t len, int advice)
{
    return only_says_yes ? 0 : __real_madvise(p, len, advice);
}

/* As qemu's user mode does. */
static void memory_that_the_system_only_says_it_took_comes_as_zeros(void **state)
{
    enum { MANY = 4096, LEN = 64 }; /* several slabs */
    static uint8_t *objects[MANY];
    (void)state;
    only_says_yes = true;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < MANY; i++) {
            objects[i] = vault_alloc(LEN);
            assert_non_null(objects[i]);
            assert_true(is_all(objects[i], 0, LEN));
            memset(objects[i], 0xa5, LEN);
        }
        for (size_t i = 0; i < MANY; i++)
            vault_free(objects[i]);
    }
    only_says_yes = false;
}

static void resized_objects_keep_their_bytes(void **state)
{
    static const size_t lens[] = {1, 60, 64, 65, 5000, 100, 20000, 90000, 3};
    (void)state;
    uint8_t *p = vault_resize(NULL, 1);
    p[0] = 0xaa;
    for (size_t i = 1; i < sizeof(lens) / sizeof(lens[0]); i++) {
        size_t kept = lens[i] < lens[i - 1] ? lens[i] : lens[i - 1];
        p = vault_resize(p, lens[i]);
        assert_non_null(p);
        assert_true(vault_size(p) >= lens[i] && is_all(p, 0xaa, kept));
        memset(p, 0xaa, lens[i]);
    }
    assert_null(vault_resize(p, SIZE_MAX));
    assert_true(is_all(p, 0xaa, 3));
    vault_free(p);
}

static void memory_of_what_was_freed_is_used_again(void **state)
{
    struct vault_stats before, after;
    void *list[400];
    (void)state;
    for (int round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 400; i++)
            list[i] = vault_alloc(i % 2 ? 1300 : 40000);
        for (unsigned i = 0; i < 400; i++)
            vault_free(list[i]);
        vault_stats(round == 0 ? &before : &after);
    }
    assert_int_equal(after.bytes, before.bytes);
}

static unsigned resident_pages(void *p, size_t len)
{
    unsigned char pages[256];
    unsigned count = 0;
    assert_true(len / 4096 <= sizeof(pages));
    assert_int_equal(mincore(p, len, pages), 0);
    for (size_t i = 0; i < len / 4096; i++)
        count += pages[i] & 1;
    return count;
}

static bool gives_locked_pages_back(void)
{
    unsigned major = 0, minor = 0;
    struct utsname kernel;
    assert_int_equal(uname(&kernel), 0);
    return sscanf(kernel.release, "%u.%u", &major, &minor) == 2 && major * 100 + minor >= 518 &&
           sysconf(_SC_PAGESIZE) == 4096; /* MADV_DONTNEED_LOCKED */
}

static void large_objects_wait_for_the_next_and_then_give_their_pages_back(void **state)
{
    (void)state;
    if (!gives_locked_pages_back())
        skip();
    uint8_t *p = vault_alloc(1 << 20);
    memset(p, 's', 1 << 20);
    vault_give_back();
    vault_free(p);
    assert_int_equal(resident_pages(p, 1 << 20), 256);
    assert_true(is_all(p, 0, 1 << 20));
    vault_give_back();
    assert_int_equal(resident_pages(p, 1 << 20), 0);
}

static void more_than_a_megabyte_does_not_wait(void **state)
{
    (void)state;
    if (!gives_locked_pages_back())
        skip();
    char *p = vault_alloc(1 << 20), *q = vault_alloc(1 << 20);
    memset(p, 's', 1 << 20);
    memset(q, 's', 1 << 20);
    vault_give_back();
    vault_free(p);
    vault_free(q);
    assert_int_equal(resident_pages(p, 1 << 20), 256);
    assert_int_equal(resident_pages(q, 1 << 20), 0);
}

static void *use_it(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    uint8_t *held[16] = {0};
    size_t lens[16] = {0};
    for (int round = 0; round < 3000; round++) {
        unsigned at = (unsigned)rand_r(&seed) % 16;
        if (held[at] && !is_all(held[at], (uint8_t)(uintptr_t)arg, lens[at]))
            return arg;
        vault_free(held[at]);
        lens[at] = random_len(&seed);
        held[at] = vault_alloc(lens[at]);
        memset(held[at], (uint8_t)(uintptr_t)arg, lens[at]);
    }
    for (unsigned at = 0; at < 16; at++)
        vault_free(held[at]);
    return NULL;
}

static void threads_share_it(void **state)
{
    pthread_t threads[4];
    void *failed;
    (void)state;
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_it, (void *)(i + 1)), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void memory_of_others_is_told_apart(void **state)
{
    void *heap = malloc(10), *p = vault_alloc(10);
    int local = 0;
    (void)state;
    assert_int_equal(vault_size(heap), 0);
    assert_int_equal(vault_size(&local), 0);
    assert_int_equal(vault_size(NULL), 0);
    assert_int_not_equal(vault_size(p), 0);
    free(heap);
    vault_free(p);
    vault_free(NULL);
}

static void what_may_not_be_locked_is_used_and_counted(void **state)
{
    int status;
    (void)state;
    if (geteuid() != 0)
        skip();
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        struct vault_stats before, after;
        vault_stats(&before);
        bool ok = setrlimit(RLIMIT_MEMLOCK, &none) == 0 && setresuid(65534, 65534, 65534) == 0 &&
                  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0; /* smaps */
        char *p = vault_alloc(3 << 20);
        vault_stats(&after);
        ok = ok && p && after.unlocked - before.unlocked >= 3 << 20;
        memset(p, 'x', 3 << 20);
        ok = ok && vault_size(p) && smaps_has(p, "dd wf") && !smaps_has(p, "lo");
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void what_the_vault_cannot_hold_is_out_of_memory(void **state)
{
    (void)state;
    assert_null(vault_alloc((size_t)8 << 30));
    assert_null(vault_alloc(SIZE_MAX));
    void *p = vault_alloc(10);
    assert_non_null(p);
    vault_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_not_be_locked_is_used_and_counted), /* first: the vault is empty yet */
        cmocka_unit_test(pages_are_locked_out_of_dumps_and_wiped_on_fork),
        cmocka_unit_test(child_of_a_fork_sees_zeros_and_can_go_on),
        cmocka_unit_test(objects_are_aligned_zero_and_never_overlap),
        cmocka_unit_test(memory_that_the_system_only_says_it_took_comes_as_zeros),
        cmocka_unit_test(resized_objects_keep_their_bytes),
        cmocka_unit_test(memory_of_what_was_freed_is_used_again),
        cmocka_unit_test(large_objects_wait_for_the_next_and_then_give_their_pages_back),
        cmocka_unit_test(more_than_a_megabyte_does_not_wait),
        cmocka_unit_test(threads_share_it),
        cmocka_unit_test(memory_of_others_is_told_apart),
        cmocka_unit_test(what_the_vault_cannot_hold_is_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
