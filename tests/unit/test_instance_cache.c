/* SPDX-License-Identifier: Apache-2.0 */
/* node/backbones/instance_cache: what of a backbone's other instances a node knows at its next start. */

#include "node/backbones/instance_cache.h"

#include "node/backbones/instances.h"
#include "node/cache/cache_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST  "http://b1.example:8080"
#define SECOND "https://b9.example"

static uv_loop_t loop;
static char folder[64], path[80];
static struct instances known[2], again[2];

static const struct instances *at(void *context, unsigned number)
{
    (void)context;
    return number < 2 ? &known[number] : NULL;
}

static void learn(struct instances *i, const char *text)
{
    assert_true(instances_learn(i, (struct slice){(const uint8_t *)text, strlen(text)}));
}

static void remember(void *context, const char *home, struct slice list)
{
    unsigned *count = context;
    for (unsigned k = 0; k < 2; k++)
        if (strcmp(again[k].home, home) == 0)
            instances_remember(&again[k], list);
    (*count)++;
}

static unsigned read_again(void)
{
    unsigned count = 0;
    instances_init(&again[0], FIRST);
    instances_init(&again[1], SECOND);
    instance_cache_read(folder, remember, &count);
    return count;
}

static void write_by_hand(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

/* What has changed is written at the end. */
static void keep(void)
{
    const struct instance_cache_config config = {.loop = &loop, .folder = folder, .at = at};
    struct instance_cache *cache;
    assert_int_equal(instance_cache_new(&config, &cache), 0);
    instance_cache_changed(cache);
    instance_cache_close(cache);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/instance-cache.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/instances", folder);
    instances_init(&known[0], FIRST);
    instances_init(&known[1], SECOND);
    assert_int_equal(uv_loop_init(&loop), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(uv_loop_close(&loop), 0);
    (void)unlink(path);
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static void instances_of_each_backbone_are_known_again(void **state)
{
    struct stat st;
    (void)state;
    learn(&known[0], FIRST "\nhttp://b2.example\nhttp://b3.example:81\n");
    learn(&known[1], SECOND "\nhttps://b8.example\n");
    keep();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(read_again(), 2);
    for (unsigned k = 0; k < 2; k++) {
        assert_int_equal(again[k].count, known[k].count);
        assert_memory_equal(again[k].list, known[k].list, sizeof(again[k].list));
    }
    assert_true(instances_move_on(&again[1], 0, 0));
    assert_string_equal(instances_at(&again[1]), "https://b8.example");
}

static void as_many_as_there_may_be_are_kept(void **state)
{
    char text[INSTANCES_MAX * INSTANCES_URL_MAX + 1], *end = text;
    (void)state;
    for (unsigned k = 0; k < INSTANCES_MAX; k++)
        end += sprintf(end, "http://%c%0*u.example\n", 'a' + (int)k, INSTANCES_URL_MAX - 32, 0);
    learn(&known[0], text);
    assert_int_equal(known[0].count, INSTANCES_MAX);
    keep();
    assert_int_equal(read_again(), 1);
    assert_memory_equal(again[0].list, known[0].list, sizeof(again[0].list));
}

static void backbone_that_names_nobody_is_left_out(void **state)
{
    (void)state;
    learn(&known[1], SECOND "\n");
    keep();
    assert_int_equal(read_again(), 1);
    assert_int_equal(again[0].count, 0);
    assert_int_equal(again[1].count, 1);
}

/* As a list that a backbone tells: what is no place is passed over. */
static void what_is_no_instance_is_not_remembered(void **state)
{
    (void)state;
    write_by_hand("shadowmesh instances 1\n" SECOND
                  "\n\thttp://b2.example\n\thttps://b3.example/path\n\thttps://b4.example\n",
                  0600);
    assert_int_equal(read_again(), 1);
    assert_int_equal(again[1].count, 1);
    assert_string_equal(again[1].list[0], "https://b4.example");
}

static void file_that_is_none_is_refused(void **state)
{
    static const char *const texts[] = {"", "shadowmesh instances 2\n" FIRST "\n\thttp://b2.example\n",
                                        "shadowmesh instances 1\n\thttp://b2.example\n",
                                        "shadowmesh records 1\n"};
    (void)state;
    assert_int_equal(read_again(), 0); /* there is none */
    for (size_t k = 0; k < sizeof(texts) / sizeof(*texts); k++) {
        write_by_hand(texts[k], 0600);
        assert_int_equal(read_again(), 0);
    }
    write_by_hand("shadowmesh instances 1\n" FIRST "\n\thttp://b2.example\n", 0644);
    assert_int_equal(read_again(), 0);
}

/* What stands before the damage is used. */
static void file_that_was_cut_is_used_as_far_as_it_goes(void **state)
{
    (void)state;
    write_by_hand("shadowmesh instances 1\n" FIRST "\n\thttp://b2.example\n\thttp://b3.exam", 0600);
    assert_int_equal(read_again(), 1);
    assert_int_equal(again[0].count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(instances_of_each_backbone_are_known_again),
        TEST(as_many_as_there_may_be_are_kept),
        TEST(backbone_that_names_nobody_is_left_out),
        TEST(what_is_no_instance_is_not_remembered),
        TEST(file_that_is_none_is_refused),
        TEST(file_that_was_cut_is_used_as_far_as_it_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
