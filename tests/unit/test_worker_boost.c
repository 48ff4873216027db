/* SPDX-License-Identifier: Apache-2.0 */
/* node/data/worker and node/data/boost: who of a node's workers goes first. */

#include "worker_lab.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Threads of ours that are called so and go first. */
static unsigned count_first(const char *name)
{
    unsigned found = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks));) {
        char path[300], comm[32] = "";
        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "r");
        bool named = file && fgets(comm, sizeof(comm), file) && !strncmp(comm, name, strlen(name));
        if (file)
            (void)fclose(file);
        found += named && sched_getscheduler(atoi(task->d_name)) == SCHED_RR;
    }
    (void)closedir(tasks);
    return found;
}

static bool may_go_first(void)
{
    const struct sched_param rr = {.sched_priority = 1}, fair = {.sched_priority = 0};
    return sched_setscheduler(0, SCHED_RR, &rr) == 0 && sched_setscheduler(0, SCHED_OTHER, &fair) == 0;
}

static void cross(struct lab_node *from, struct lab_node *to)
{
    static struct lab_frame sent, got;
    lab_frame_make(&sent, 0xff, 2, 60, 1);
    lab_put(from, &sent);
    lab_get(to, &got);
}

/* A slow stream is bulk, too, and whoever paces it takes each wait for a CPU for the path's. */
static void workers_that_carry_little_go_first_beside_bulk_flows(void **state)
{
    (void)state;
    struct lab_node a, b;
    lab_node_open(&a);
    lab_node_open(&b);
    lab_connect(&a, 1, &b, 2, LAB_SIZE);
    lab_publish(&a);
    lab_publish(&b);
    lab_node_start(&a, 0, false);
    lab_node_start(&b, 0, false);
    cross(&b, &a);
    assert_int_equal(count_first("worker0"), 0);
    atomic_store(&a.bulk.seen_us, UINT64_MAX / 2);
    atomic_store(&b.bulk.seen_us, UINT64_MAX / 2);
    for (int i = 0; i < 2; i++) /* a round is over when the next one has begun */
        cross(&b, &a);
    assert_int_equal(count_first("worker0"), may_go_first() ? 2 : 0);
    lab_node_close(&a);
    lab_node_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_that_carry_little_go_first_beside_bulk_flows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
