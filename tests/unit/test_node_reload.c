/* SPDX-License-Identifier: Apache-2.0 */
/* Whole nodes that read their flags again, by SIGHUP or the command: what changes, what is named, and that nothing does
 * where something is wrong. */

#include "node_pair.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define ID_X "0123456789abcdef0123456789abcdef01234567"
#define ID_Y "0123456789abcdef0123456789abcdef01234568"

/* Of the node's own folder. */
static const char *path_of(const struct twin *t)
{
    static char path[96];
    snprintf(path, sizeof(path), "%s/node.conf", t->dir);
    return path;
}

static void write_conf(const struct twin *t, const char *format, ...)
{
    va_list args;
    int fd = open(path_of(t), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    va_start(args, format);
    assert_true(vdprintf(fd, format, args) >= 0);
    va_end(args);
    close(fd);
}

static void start_with_file(struct twin *t)
{
    twin_start(t, FLAGS("-config", path_of(t)), NULL, NULL);
    assert_true(twin_runs(t));
}

/* "flag [id] change, …; flag restarts, …", or what is wrong. */
static const char *reload(const struct twin *t)
{
    static char told[1024];
    size_t i;
    const json_t *entry;
    json_t *answer = twin_ask(t, json_pack("{s:s}", "cmd", "reload")),
           *result = json_object_get(answer, "result");
    const char *error = json_string_value(json_object_get(answer, "error"));
    snprintf(told, sizeof(told), "%s", error ? error : "");
    json_array_foreach(json_object_get(result, "changes"), i, entry)
    {
        const char *id = json_string_value(json_object_get(entry, "id"));
        snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%s%.4s %s, ",
                 json_string_value(json_object_get(entry, "flag")), id ? " " : "", id ? id + 36 : "",
                 json_string_value(json_object_get(entry, "change")));
    }
    json_array_foreach(json_object_get(result, "restart"), i, entry)
        snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s restarts, ", json_string_value(entry));
    json_decref(answer);
    return told;
}

static void node_without_a_file_goes_on_at_a_hang_up(void **state)
{
    struct twin a;
    (void)state;
    twin_init(&a, "site-a", 1);
    twin_start(&a, NULL, NULL, NULL);
    assert_true(twin_runs(&a));
    kill(a.pid, SIGHUP);
    twin_wait_log(&a, "there is no file to read again");
    assert_non_null(strstr(reload(&a), "started without -config"));
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
}

static void what_changes_is_carried_out_and_what_cannot_is_named(void **state)
{
    struct twin a;
    (void)state;
    twin_init(&a, "site-a", 1);
    write_conf(&a, "allow = " ID_X "\n");
    start_with_file(&a);
    assert_string_equal(reload(&a), "");
    write_conf(&a, "connect = " ID_X "\nallow = " ID_Y "\nv = true\nstun = 127.0.0.1:1\nprofile = true\n");
    assert_string_equal(reload(&a), "connect 4567 added, allow 4568 added, allow 4567 removed, v added, stun "
                                    "restarts, profile restarts, ");
    assert_string_equal(reload(&a), "stun restarts, profile restarts, "); /* until it does */
    write_conf(&a, "connect = " ID_X "@127.0.0.1:1\n");
    assert_string_equal(reload(&a), "connect 4567 moved, allow 4568 removed, v removed, ");
    write_conf(&a, "");
    assert_string_equal(reload(&a), "connect 4567 removed, ");
    json_t *status = twin_status(&a);
    assert_string_equal(json_string_value(json_array_get(json_object_get(status, "config"), 0)), path_of(&a));
    assert_int_equal(json_array_size(json_object_get(status, "peers")), 0);
    json_decref(status);
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
}

static void nothing_changes_where_something_is_wrong(void **state)
{
    struct twin a;
    char words[160];
    (void)state;
    twin_init(&a, "site-a", 1);
    write_conf(&a, "");
    start_with_file(&a);
    write_conf(&a, "connect = " ID_X "\nnonsense = 1\n");
    snprintf(words, sizeof(words), "-config %s: line 2: unknown flag nonsense", path_of(&a));
    assert_int_equal(strncmp(reload(&a), words, strlen(words)), 0);
    write_conf(&a, "allow = " ID_X "\nconnect = %s\n", a.id);
    assert_string_equal(reload(&a), "-connect: that id is our own: name the other node's");
    assert_int_equal(unlink(path_of(&a)), 0);
    assert_non_null(strstr(reload(&a), "No such file or directory"));
    twin_wait_log(&a, "reload: nothing has changed: ");
    json_t *status = twin_status(&a);
    assert_int_equal(json_array_size(json_object_get(status, "peers")), 0);
    json_decref(status);
    write_conf(&a, "allow = " ID_X "\nallow = %s\n", a.id); /* that goes without saying */
    assert_non_null(strstr(reload(&a), "allow 4567 added, "));
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
}

static bool has_peer(const struct twin *t, const char *id)
{
    size_t i;
    const json_t *peer;
    bool has = false;
    json_t *status = twin_status(t);
    json_array_foreach(json_object_get(status, "peers"), i, peer) has |=
        strcmp(json_string_value(json_object_get(peer, "id")), id) == 0;
    json_decref(status);
    return has;
}

static void what_a_command_changed_outlives_a_file_that_is_wrong(void **state)
{
    struct twin a;
    (void)state;
    twin_init(&a, "site-a", 1);
    write_conf(&a, "");
    start_with_file(&a);
    json_decref(twin_ask(&a, json_pack("{s:s,s:s}", "cmd", "connect", "id", ID_X)));
    write_conf(&a, "connect = " ID_X "\nconnect = %s\n", a.id);
    assert_non_null(strstr(reload(&a), "that id is our own"));
    assert_true(has_peer(&a, ID_X));
    write_conf(&a, "v = true\n");
    assert_string_equal(reload(&a), "v added, ");
    assert_true(has_peer(&a, ID_X));
    write_conf(&a, "connect = " ID_X "\n"); /* from now on it is the file's */
    assert_string_equal(reload(&a), "connect 4567 added, v removed, ");
    write_conf(&a, "");
    assert_string_equal(reload(&a), "connect 4567 removed, ");
    assert_false(has_peer(&a, ID_X));
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
}

/* ---- more than there is room for ---- */

#define IDS 60

static void have_few_files(void *context)
{
    const struct rlimit files = {700, 700};
    (void)context;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static void write_ids(const struct twin *t, unsigned count, unsigned first)
{
    char text[IDS * 64] = "";
    for (unsigned i = 0; i < count; i++)
        sprintf(text + strlen(text), "allow = %040x\n", first + i);
    write_conf(t, "%s", text);
}

static void list_that_does_not_fit_leaves_the_places_that_it_took(void **state)
{
    struct twin a;
    unsigned fit = 0;
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    (void)state;
    twin_init(&a, "site-a", 1);
    write_ids(&a, 0, 0);
    twin_start(&a, FLAGS("-config", path_of(&a)), have_few_files, NULL);
    twin_wait_log(&a, " peers instead of ");
    assert_int_equal(sscanf(strstr(a.lines, "at most "), "at most %u", &fit), 1);
    assert_in_range(fit, 2, IDS - 1);
    assert_true(twin_runs(&a));
    write_ids(&a, IDS, 0x1000);
    assert_int_equal(strncmp(reload(&a), "-allow: too many peers, at most ", 32), 0);
    write_ids(&a, fit, 0x2000);
    while (strncmp(reload(&a), "allow 2000 added, ", 18) != 0 && clock_monotonic_us() < until_us)
        poll(NULL, 0, 20);
    assert_string_equal(reload(&a), "");
    assert_int_equal(twin_end(&a, SIGTERM), 0);
    twin_fini(&a);
}

/* ---- sessions ---- */

static void hang_up(const struct twin *t)
{
    kill(t->pid, SIGHUP);
}

static void sessions_begin_and_end_by_the_file_alone(void **state)
{
    struct pair p;
    char at[ID_TEXT_MAX + 32];
    uint8_t frame[FRAME_LEN];
    (void)state;
    twin_init(&p.a, "site-a", 1);
    twin_init(&p.b, "site-b", 2);
    write_conf(&p.a, "");
    start_with_file(&p.a);
    write_conf(&p.b, "");
    start_with_file(&p.b);
    write_conf(&p.b, "allow = %s\n", p.a.id);
    hang_up(&p.b);
    twin_wait_log(&p.b, "added");
    write_conf(&p.a, "connect = %s\n", twin_at(&p.b, at, sizeof(at)));
    hang_up(&p.a);
    wait_connected(&p.a, &p.b);
    wait_connected(&p.b, &p.a);
    write_conf(&p.b, "allow = %s\nallow = " ID_X "\n", p.a.id); /* others' change leaves it alone */
    assert_string_equal(reload(&p.b), "allow 4567 added, ");
    make_frame(frame, NULL, p.a.device->mac, 1);
    carry(&p.a, &p.b, frame);
    assert_false(twin_log_has(&p.a, "disconnected"));
    write_conf(&p.b, "");
    hang_up(&p.b);
    twin_wait_log(&p.a, "it admits us no longer");
    stop_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_without_a_file_goes_on_at_a_hang_up),
        cmocka_unit_test(what_changes_is_carried_out_and_what_cannot_is_named),
        cmocka_unit_test(nothing_changes_where_something_is_wrong),
        cmocka_unit_test(what_a_command_changed_outlives_a_file_that_is_wrong),
        cmocka_unit_test(list_that_does_not_fit_leaves_the_places_that_it_took),
        cmocka_unit_test(sessions_begin_and_end_by_the_file_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
