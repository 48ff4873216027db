/* SPDX-License-Identifier: Apache-2.0 */
/* Whole nodes whose lists change while they run, that register at a backbone, and that have no good key. */

#include "node_pair.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static json_t *change(const struct twin *t, const char *verb, const char *id, const char *address)
{
    json_t *request = json_pack("{s:s,s:s}", "cmd", verb, "id", id);
    if (address)
        json_object_set_new(request, "addresses", json_pack("[s]", address));
    return twin_ask(t, request);
}

static void assert_changed(const struct twin *t, const char *verb, const char *id, const char *address,
                           bool lasting)
{
    json_t *answer = change(t, verb, id, address), *result = json_object_get(answer, "result");
    if (!json_is_object(result))
        fail_msg("%s: %s", verb, json_string_value(json_object_get(answer, "error")));
    assert_int_equal(json_is_true(json_object_get(result, "lasting")), lasting);
    json_decref(answer);
}

static void assert_unchanged(const struct twin *t, const char *verb, const char *id, const char *address,
                             const char *part)
{
    json_t *answer = change(t, verb, id, address);
    const char *error = json_string_value(json_object_get(answer, "error"));
    assert_non_null(error);
    if (!strstr(error, part))
        fail_msg("\"%s\" has no \"%s\"", error, part);
    json_decref(answer);
}

static void start_strangers(struct pair *p)
{
    twin_init(&p->a, "site-a", 1);
    twin_init(&p->b, "site-b", 2);
    twin_start(&p->a, NULL, NULL, NULL);
    twin_start(&p->b, NULL, NULL, NULL);
    twin_wait_log(&p->a, "no sandbox");
    twin_wait_log(&p->b, "no sandbox");
}

static const char *address_of(const struct twin *t, char *out, size_t size)
{
    snprintf(out, size, "127.0.0.1:%u", t->control_port);
    return out;
}

static void nodes_connect_and_part_by_what_they_are_told(void **state)
{
    struct pair p;
    char address[32];
    uint8_t frame[FRAME_LEN];
    (void)state;
    start_strangers(&p);
    assert_changed(&p.b, "allow", p.a.id, NULL, false);
    assert_changed(&p.a, "connect", p.b.id, address_of(&p.b, address, sizeof(address)), false);
    wait_connected(&p.a, &p.b);
    wait_connected(&p.b, &p.a);
    make_frame(frame, NULL, p.a.device->mac, 1);
    carry(&p.a, &p.b, frame);
    assert_changed(&p.b, "disallow", p.a.id, NULL, true);
    twin_wait_log(&p.a, "disconnected");
    twin_wait_log(&p.b, "until this node stops");
    assert_changed(&p.a, "disconnect", p.b.id, NULL, true);
    stop_pair(&p);
}

static void flags_say_whether_a_change_lasts(void **state)
{
    struct pair p;
    (void)state;
    start_pair(&p);
    assert_changed(&p.b, "allow", p.a.id, NULL, true);
    assert_changed(&p.b, "disallow", p.a.id, NULL, false);
    twin_wait_log(&p.a, "disconnected");
    assert_changed(&p.a, "disconnect", p.b.id, NULL, false);
    assert_changed(&p.a, "connect", p.b.id, "localhost", false);
    stop_pair(&p);
}

static void peer_that_nobody_has_a_place_of_is_taken_and_told_how_it_is_found(void **state)
{
    struct pair p;
    (void)state;
    start_strangers(&p);
    json_t *answer = change(&p.a, "connect", p.b.id, NULL);
    const char *note = json_string_value(json_object_get(json_object_get(answer, "result"), "note"));
    assert_non_null(note);
    assert_non_null(strstr(note, "without -backbone and @HOST it is"));
    json_decref(answer);
    assert_changed(&p.b, "allow", p.a.id, NULL, false);
    assert_changed(&p.a, "disconnect", p.b.id, NULL, true);
    stop_pair(&p);
}

static void change_that_makes_no_sense_is_refused_with_a_reason(void **state)
{
    struct pair p;
    (void)state;
    start_strangers(&p);
    assert_unchanged(&p.a, "allow", "", NULL, "allow");
    assert_unchanged(&p.a, "allow", "12345", NULL, "12345");
    assert_unchanged(&p.a, "allow", p.a.id, NULL, "that id is this node's own");
    assert_unchanged(&p.a, "connect", p.a.id, "127.0.0.1", "that id is this node's own");
    assert_unchanged(&p.a, "connect", p.b.id, "127.0.0.1:99999", "127.0.0.1:99999");
    assert_unchanged(&p.a, "disconnect", p.b.id, NULL, "this node does not dial it");
    stop_pair(&p);
}

/* ---- a backbone ---- */

struct backbone {
    pid_t pid;
    int log;
    char dir[64], url[64];
};

/* Where its line says that it listens. */
static void read_url(struct backbone *b)
{
    char line[512];
    FILE *log = fdopen(b->log, "r");
    while (fgets(line, sizeof(line), log)) {
        const char *at = strstr(line, "listening on ");
        if (at && sscanf(at, "listening on %40s", line) == 1) {
            snprintf(b->url, sizeof(b->url), "http://%.40s", line);
            return;
        }
    }
    fail_msg("the backbone does not listen");
}

static void start_backbone(struct backbone *b, const char *listen)
{
    int ends[2];
    if (!getenv("BACKBONE"))
        skip(); /* the tests' runner names the program */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    *b = (struct backbone){.log = ends[0], .dir = "/tmp/backbone-XXXXXX"};
    assert_non_null(mkdtemp(b->dir));
    b->pid = fork();
    if (b->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing */
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        execl(getenv("BACKBONE"), "backbone", "-listen", listen, "-data", b->dir, "-sandbox", "off", NULL);
        _exit(127);
    }
    close(ends[1]);
    read_url(b);
}

static void stop_backbone(struct backbone *b)
{
    char command[128];
    kill(b->pid, SIGTERM);
    waitpid(b->pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf %s", b->dir);
    assert_int_equal(system(command), 0);
}

static bool uplink_has_failed(const struct twin *t)
{
    json_t *status = twin_status(t);
    json_t *uplink = json_object_get(json_object_get(status, "backbone"), "uplink");
    bool failed = json_is_string(json_object_get(uplink, "error"));
    json_decref(status);
    return failed;
}

static void backbone_that_is_down_is_told_in_one_line(void **state)
{
    struct twin a;
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    (void)state;
    twin_init(&a, "site-a", 1);
    twin_start(&a, FLAGS("-backbone", "http://127.0.0.1:1"), NULL, NULL);
    twin_wait_log(&a, "cannot be reached (");
    while (!uplink_has_failed(&a) && clock_monotonic_us() < until_us)
        poll(NULL, 0, 5);
    assert_true(uplink_has_failed(&a));
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    assert_null(strstr(a.lines, "no uplink"));
    twin_fini(&a);
}

static void node_registers_at_a_backbone(void **state)
{
    struct backbone backbone;
    struct twin a;
    char line[64];
    (void)state;
    start_backbone(&backbone, "127.0.0.1:0");
    twin_init(&a, "site-a", 1);
    twin_start(&a, FLAGS("-backbone", backbone.url), NULL, NULL);
    snprintf(line, sizeof(line), "registered as %s", a.id);
    twin_wait_log(&a, line);
    json_t *status = twin_status(&a), *told = json_object_get(status, "backbone");
    assert_string_equal(json_string_value(json_object_get(told, "url")), backbone.url);
    assert_true(json_is_true(json_object_get(told, "reachable")));
    json_decref(status);
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
    stop_backbone(&backbone);
}

static void backbone_that_is_not_there_is_told(void **state)
{
    struct backbone backbone;
    struct twin a;
    (void)state;
    start_backbone(&backbone, "127.0.0.1:0");
    stop_backbone(&backbone);
    twin_init(&a, "site-a", 1);
    twin_start(&a, FLAGS("-backbone", backbone.url), NULL, NULL);
    twin_wait_log(&a, "cannot be reached");
    json_t *status = twin_status(&a);
    assert_true(json_is_false(json_object_get(json_object_get(status, "backbone"), "reachable")));
    json_decref(status);
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
}

/* ---- keys ---- */

static void key_that_cannot_be_used_ends_the_start_with_the_remedy(void **state)
{
    struct twin a;
    char path[96];
    (void)state;
    twin_init(&a, "site-a", 1);
    snprintf(path, sizeof(path), "%.40s/node.key", a.dir);
    assert_int_equal(chmod(path, 0644), 0);
    twin_start(&a, NULL, NULL, NULL);
    twin_wait_log(&a, "can be read by others: chmod 600 it");
    assert_int_equal(twin_end(&a, 0), 1);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chmod(a.dir, 0777), 0);
    twin_start(&a, NULL, NULL, NULL);
    twin_wait_log(&a, "others can put a key of theirs into");
    assert_int_equal(twin_end(&a, 0), 1);
    assert_int_equal(chmod(a.dir, 0700), 0);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(chmod(path, 0600), 0);
    twin_start(&a, NULL, NULL, NULL);
    twin_wait_log(&a, "holds no ML-DSA-87 private key in PEM: move the file away");
    assert_int_equal(twin_end(&a, 0), 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    twin_start(&a, NULL, NULL, NULL);
    twin_wait_log(&a, "is a symbolic link");
    assert_int_equal(twin_end(&a, 0), 1);
    twin_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_connect_and_part_by_what_they_are_told),
        cmocka_unit_test(flags_say_whether_a_change_lasts),
        cmocka_unit_test(peer_that_nobody_has_a_place_of_is_taken_and_told_how_it_is_found),
        cmocka_unit_test(change_that_makes_no_sense_is_refused_with_a_reason),
        cmocka_unit_test(backbone_that_is_down_is_told_in_one_line),
        cmocka_unit_test(node_registers_at_a_backbone),
        cmocka_unit_test(backbone_that_is_not_there_is_told),
        cmocka_unit_test(key_that_cannot_be_used_ends_the_start_with_the_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
