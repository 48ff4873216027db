/* SPDX-License-Identifier: Apache-2.0 */
/* The API socket: who may open it, what its callers may do, and what is left behind. Callers are plain
 * sockets of this process; the loop is turned by hand. */
#include "node/api/api.h"
#include "node/api/api_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define ID "0123456789abcdef0123456789abcdef01234567"

struct fixture {
    uv_loop_t loop;
    char run_dir[40], path[90], ro_path[90];
    struct node_id id;
    struct api *api;
    struct api_call *waiting; /* of the command "wait" */
    unsigned handled;
    unsigned entries, made, freed; /* of the command "list" */
};

static json_t *next_number(void *context)
{
    struct fixture *f = context;
    return f->made < f->entries ? json_integer(f->made++) : NULL;
}

static void end_of_list(void *context)
{
    ((struct fixture *)context)->freed++;
}

static void handle(void *context, const char *command, const json_t *request, struct api_call *call)
{
    struct fixture *f = context;
    f->handled++;
    if (strcmp(command, "echo") == 0)
        api_reply(call, json_deep_copy(json_object_get(request, "value")));
    else if (strcmp(command, "who") == 0)
        api_reply(call,
                  json_pack("{s:b,s:I,s:I}", "ro", api_call_by(call)->reads_only, "uid",
                            (json_int_t)api_call_by(call)->uid, "pid", (json_int_t)api_call_by(call)->pid));
    else if (strcmp(command, "wait") == 0)
        f->waiting = call;
    else if (strcmp(command, "list") == 0)
        api_reply_list(call, &(struct api_list){"numbers", next_number, end_of_list, f});
    else if (strcmp(command, "cut") == 0)
        api_fail(call, "%s", "Köl\xc3"); /* a name that was cut inside a character */
    else
        api_fail(call, "no command \"%s\"", command);
}

/* Between bind(2) and what follows somebody may exchange the file: here they do, for a link to a file of ours. */
static const char *link_to;

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    long err = syscall(SYS_bind, fd, address, len);
    if (err == 0 && link_to) {
        const char *path = ((const struct sockaddr_un *)address)->sun_path;
        unlink(path);
        assert_return_code(symlink(link_to, path), errno);
    }
    return (int)err;
}

static gid_t group; /* of readers; 0: /etc/group has none */

struct group *fgetgrent(FILE *file)
{
    static char names[][16] = {"daemon", "shadowmesh"};
    static struct group entries[] = {{.gr_name = names[0], .gr_gid = 1}, {.gr_name = names[1]}};
    static unsigned at;
    (void)file;
    entries[1].gr_gid = group;
    at = !at;
    return at ? &entries[0] : group ? &entries[1] : NULL;
}

static int chown_errno; /* as for a user that is not in the group */

int fchownat(int fd, const char *path, uid_t owner, gid_t to, int flags)
{
    if (!chown_errno)
        return (int)syscall(SYS_fchownat, fd, path, owner, to, flags);
    errno = chown_errno;
    return -1;
}

static struct api_config config_of(struct fixture *f)
{
    return (struct api_config){
        .loop = &f->loop, .run_dir = f->run_dir, .id = &f->id, .handle = handle, .context = f};
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char base[] = "/tmp/test-api-XXXXXX";
    assert_non_null(f);
    assert_non_null(mkdtemp(base));
    snprintf(f->run_dir, sizeof(f->run_dir), "%s/deep/run", base);
    snprintf(f->path, sizeof(f->path), "%s/" ID ".sock", f->run_dir);
    snprintf(f->ro_path, sizeof(f->ro_path), "%s/" ID ".ro.sock", f->run_dir);
    assert_int_equal(id_parse(ID, &f->id), 0);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    const struct api_config config = config_of(f);
    assert_int_equal(api_open(&config, &f->api), 0);
    *state = f;
    return 0;
}

static void turn(struct fixture *f)
{
    for (int i = 0; i < 5; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    api_close(f->api);
    turn(f);
    assert_int_equal(uv_loop_close(&f->loop), 0); /* every handle is closed */
    unlink(f->path);
    unlink(f->ro_path);
    for (int i = 0; i < 3; i++) {
        rmdir(f->run_dir);
        *strrchr(f->run_dir, '/') = '\0';
    }
    free(f);
    return 0;
}

static int dial_at(struct fixture *f, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof(address)), errno);
    turn(f);
    return fd;
}

static int dial(struct fixture *f)
{
    return dial_at(f, f->path);
}

static void say(struct fixture *f, int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    turn(f);
}

/* What has arrived by now; "" for nothing, NULL when the node has hung up. */
static const char *hear(struct fixture *f, int fd)
{
    static char text[16384];
    turn(f);
    ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return NULL;
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void request_is_answered_with_one_line(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "{\"cmd\":\"echo\",\"value\":[1,\"x\\n\"]}\n");
    assert_string_equal(hear(f, fd), "{\"ok\":true,\"result\":[1,\"x\\n\"]}\n");
    say(f, fd, "{\"cmd\":\"nonsense\"}\n");
    assert_string_equal(hear(f, fd), "{\"ok\":false,\"error\":\"no command \\\"nonsense\\\"\"}\n");
    close(fd);
}

static void requests_in_one_write_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "{\"cmd\":\"echo\",\"value\":1}\n{\"cmd\":\"echo\",\"value\":2}\n{\"cmd\":\"ec");
    say(f, fd, "ho\",\"value\":3}\n");
    assert_string_equal(
        hear(f, fd), "{\"ok\":true,\"result\":1}\n{\"ok\":true,\"result\":2}\n{\"ok\":true,\"result\":3}\n");
    close(fd);
}

static void request_may_come_in_pieces(void **state)
{
    static const char request[] = "{\"cmd\":\"echo\",\"value\":1}\n";
    struct fixture *f = *state;
    int fd = dial(f);
    for (size_t i = 0; request[i]; i++)
        say(f, fd, (const char[]){request[i], '\0'});
    assert_string_equal(hear(f, fd), "{\"ok\":true,\"result\":1}\n");
    close(fd);
}

static void next_request_waits_for_the_answer_to_the_last(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "{\"cmd\":\"wait\"}\n{\"cmd\":\"echo\",\"value\":2}\n");
    assert_string_equal(hear(f, fd), "");
    assert_int_equal(f->handled, 1);
    api_reply(f->waiting, json_integer(1));
    assert_string_equal(hear(f, fd), "{\"ok\":true,\"result\":1}\n{\"ok\":true,\"result\":2}\n");
    close(fd);
}

/* Reads a whole answer of any length. */
static json_t *hear_all(struct fixture *f, int fd)
{
    size_t len = 0, cap = 1u << 20;
    char *text = malloc(cap);
    assert_non_null(text);
    for (int i = 0; i < 10000 && (len == 0 || text[len - 1] != '\n'); i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        ssize_t n = recv(fd, text + len, cap - len, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
    }
    json_t *answer = json_loadb(text, len, 0, NULL);
    free(text);
    return answer;
}

static void list_of_any_length_is_one_line(void **state)
{
    static const unsigned counts[] = {
        0, 1, API_LIST_PIECE - 1, API_LIST_PIECE, API_LIST_PIECE + 1, 2 * API_LIST_PIECE, 50000};
    struct fixture *f = *state;
    int fd = dial(f);
    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        f->entries = counts[i];
        f->made = f->freed = 0;
        say(f, fd, "{\"cmd\":\"list\"}\n");
        json_t *answer = hear_all(f, fd);
        json_t *numbers = json_object_get(json_object_get(answer, "result"), "numbers");
        assert_true(json_is_true(json_object_get(answer, "ok")));
        assert_int_equal(json_array_size(numbers), counts[i]);
        for (unsigned j = 0; j < counts[i]; j++)
            assert_int_equal(json_integer_value(json_array_get(numbers, j)), j);
        assert_int_equal(f->freed, 1);
        json_decref(answer);
    }
    say(f, fd, "{\"cmd\":\"echo\",\"value\":1}\n");
    assert_string_equal(hear(f, fd), "{\"ok\":true,\"result\":1}\n");
    close(fd);
}

static void one_turn_makes_one_piece_of_a_list(void **state)
{
    static const char request[] = "{\"cmd\":\"list\"}\n";
    struct fixture *f = *state;
    int fd = dial(f);
    f->entries = 20 * API_LIST_PIECE;
    assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
    for (unsigned i = 0; f->freed == 0; i++) {
        unsigned before = f->made;
        assert_in_range(i, 0, 100);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_in_range(f->made - before, 0, API_LIST_PIECE);
    }
    assert_int_equal(f->made, f->entries);
    close(fd);
}

/* What waits for it is one piece, and what the socket holds. */
static void slow_reader_of_a_list_holds_little_and_its_end_frees_it(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    f->entries = 10000000;
    say(f, fd, "{\"cmd\":\"list\"}\n");
    for (int i = 0; i < 5000; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    unsigned made = f->made;
    assert_in_range(made, API_LIST_PIECE, 200000);
    turn(f);
    assert_int_equal(f->made, made);
    assert_int_equal(f->freed, 0);
    close(fd);
    turn(f);
    assert_int_equal(f->freed, 1);
}

static void list_ends_with_the_socket(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    f->entries = 10000000;
    say(f, fd, "{\"cmd\":\"list\"}\n");
    assert_int_equal(f->freed, 0);
    api_close(f->api);
    f->api = NULL;
    assert_int_equal(f->freed, 1);
    turn(f);
    close(fd);
}

static void list_for_a_caller_that_is_gone_is_freed(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "{\"cmd\":\"wait\"}\n");
    api_close(f->api);
    f->api = NULL;
    turn(f);
    api_reply_list(f->waiting, &(struct api_list){"numbers", next_number, end_of_list, f});
    assert_int_equal(f->freed, 1);
    assert_int_equal(f->made, 0);
    close(fd);
}

static void malformed_lines_are_told_and_never_handled(void **state)
{
    static const char *const lines[] = {"\n",
                                        "x\n",
                                        "[]\n",
                                        "{}\n",
                                        "{\"cmd\":1}\n",
                                        "{\"cmd\":\"echo\",\"cmd\":\"echo\"}\n",
                                        "{\"cmd\":\"ec\\u0000ho\"}\n",
                                        "{\"cmd\":\"\xff\"}\n",
                                        "{\"cmd\":\"echo\"} x\n"};
    struct fixture *f = *state;
    int fd = dial(f);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        say(f, fd, lines[i]);
        assert_int_equal(strncmp(hear(f, fd), "{\"ok\":false,\"error\":\"no request", 31), 0);
    }
    assert_int_equal(f->handled, 0);
    close(fd);
}

static void overlong_line_is_hung_up_on(void **state)
{
    struct fixture *f = *state;
    char line[API_REQUEST_MAX + 1];
    int fd = dial(f);
    memset(line, ' ', sizeof(line));
    line[API_REQUEST_MAX - 1] = '\0';
    say(f, fd, line);
    assert_string_equal(hear(f, fd), "");
    say(f, fd, " ");
    assert_null(hear(f, fd));
    close(fd);
}

static void longest_line_is_read(void **state)
{
    static const char request[] = "{\"cmd\":\"echo\",\"value\":7}";
    struct fixture *f = *state;
    char line[API_REQUEST_MAX + 1];
    int fd = dial(f);
    memset(line, ' ', sizeof(line));
    memcpy(line, request, sizeof(request) - 1);
    line[API_REQUEST_MAX - 1] = '\n';
    line[API_REQUEST_MAX] = '\0';
    say(f, fd, line);
    assert_string_equal(hear(f, fd), "{\"ok\":true,\"result\":7}\n");
    close(fd);
}

static void caller_that_hangs_up_is_no_error(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f), other = dial(f);
    say(f, fd, "{\"cmd\":\"wait\"}\n");
    close(fd);
    turn(f);
    api_reply(f->waiting, json_string("nobody listens"));
    turn(f);
    say(f, other, "{\"cmd\":\"echo\",\"value\":true}\n");
    assert_string_equal(hear(f, other), "{\"ok\":true,\"result\":true}\n");
    close(other);
}

static void error_with_a_cut_name_is_still_an_answer(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "{\"cmd\":\"cut\"}\n");
    assert_string_equal(hear(f, fd), "{\"ok\":false,\"error\":\"failed\"}\n");
    close(fd);
}

static void callers_are_bounded_and_their_place_is_given_again(void **state)
{
    struct fixture *f = *state;
    int fds[33];
    for (int i = 0; i < 33; i++)
        fds[i] = dial(f);
    assert_string_equal(hear(f, fds[31]), "");
    assert_null(hear(f, fds[32]));
    close(fds[32]);
    close(fds[0]);
    turn(f);
    fds[0] = fds[32] = dial(f);
    say(f, fds[0], "{\"cmd\":\"echo\",\"value\":1}\n");
    assert_string_equal(hear(f, fds[0]), "{\"ok\":true,\"result\":1}\n");
    for (int i = 0; i < 32; i++)
        close(fds[i]);
}

static void readers_that_take_all_places_keep_nobody_else_out(void **state)
{
    struct fixture *f = *state;
    int fds[33];
    for (int i = 0; i < 33; i++)
        fds[i] = dial_at(f, f->ro_path);
    assert_null(hear(f, fds[32]));
    int fd = dial(f);
    say(f, fd, "{\"cmd\":\"echo\",\"value\":1}\n");
    assert_string_equal(hear(f, fd), "{\"ok\":true,\"result\":1}\n");
    close(fd);
    for (int i = 0; i < 33; i++)
        close(fds[i]);
}

static void caller_is_known_by_its_socket_its_user_and_its_process(void **state)
{
    struct fixture *f = *state;
    char wanted[128];
    for (int ro = 0; ro < 2; ro++) {
        int fd = dial_at(f, ro ? f->ro_path : f->path);
        say(f, fd, "{\"cmd\":\"who\"}\n");
        snprintf(wanted, sizeof(wanted), "{\"ok\":true,\"result\":{\"ro\":%s,\"uid\":%ld,\"pid\":%ld}}\n",
                 ro ? "true" : "false", (long)geteuid(), (long)getpid());
        assert_string_equal(hear(f, fd), wanted);
        close(fd);
    }
}

static void sockets_are_private_and_go_at_close(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_return_code(stat(f->path, &st), errno);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_return_code(stat(f->ro_path, &st), errno);
    assert_int_equal(st.st_mode & 07777, 0600); /* nobody is in a group that is not there */
    api_close(f->api);
    f->api = NULL;
    assert_int_equal(stat(f->path, &st), -1);
    assert_int_equal(stat(f->ro_path, &st), -1);
}

/* To connect to a socket is to write to it. */
static void group_may_connect_to_the_socket_for_readers_alone(void **state)
{
    struct fixture *f = *state;
    const struct api_config config = config_of(f);
    struct stat st;
    api_close(f->api);
    turn(f);
    group = geteuid() == 0 ? 54321 : getegid();
    mode_t before = umask(0077);
    assert_int_equal(api_open(&config, &f->api), 0);
    umask(before);
    assert_return_code(stat(f->path, &st), errno);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_return_code(stat(f->ro_path, &st), errno);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(st.st_gid, group);
    group = 0;
}

static void socket_stays_private_where_its_file_cannot_be_given_to_the_group(void **state)
{
    struct fixture *f = *state;
    const struct api_config config = config_of(f);
    struct stat st;
    api_close(f->api);
    turn(f);
    group = 54321;
    chown_errno = EPERM;
    assert_int_equal(api_open(&config, &f->api), 0);
    chown_errno = 0;
    group = 0;
    assert_return_code(stat(f->ro_path, &st), errno);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void link_put_in_the_sockets_place_is_not_followed(void **state)
{
    struct fixture *f = *state;
    const struct api_config config = config_of(f);
    struct stat st;
    char victim[64];
    api_close(f->api);
    f->api = NULL;
    turn(f);
    snprintf(victim, sizeof(victim), "%s/victim", f->run_dir);
    int fd = open(victim, O_WRONLY | O_CREAT, 0644);
    assert_return_code(fd, errno);
    assert_return_code(fchmod(fd, 0644), errno);
    link_to = victim;
    assert_int_equal(api_open(&config, &f->api), ERR_IO);
    link_to = NULL;
    assert_return_code(fstat(fd, &st), errno);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_return_code(unlink(victim), errno);
    close(fd);
}

static void second_node_with_the_id_is_refused_and_told_who_holds_it(void **state)
{
    struct fixture *f = *state;
    struct api_config config = config_of(f);
    struct api *second = NULL;
    pid_t holder = 0;
    config.holder = &holder;
    assert_int_equal(api_open(&config, &second), ERR_EXISTS);
    assert_int_equal(holder, getpid());
    int fd = dial(f);
    say(f, fd, "{\"cmd\":\"echo\",\"value\":1}\n");
    assert_string_equal(hear(f, fd), "{\"ok\":true,\"result\":1}\n");
    close(fd);
}

/* As kill -9 would: a socket file without a process. */
static void leave_dead_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
    assert_return_code(listen(fd, 1), errno);
    close(fd);
}

static void sockets_of_a_dead_process_are_replaced(void **state)
{
    struct fixture *f = *state;
    const struct api_config config = config_of(f);
    api_close(f->api);
    f->api = NULL;
    turn(f);
    leave_dead_socket(f->path);
    leave_dead_socket(f->ro_path);
    assert_int_equal(api_open(&config, &f->api), 0);
    for (int ro = 0; ro < 2; ro++) {
        int fd = dial_at(f, ro ? f->ro_path : f->path);
        say(f, fd, "{\"cmd\":\"echo\",\"value\":1}\n");
        assert_string_equal(hear(f, fd), "{\"ok\":true,\"result\":1}\n");
        close(fd);
    }
}

static void sockets_of_a_successor_are_left_alone(void **state)
{
    struct fixture *f = *state;
    const struct api_config config = config_of(f);
    struct api *old = f->api;
    struct stat st;
    assert_return_code(unlink(f->path), errno); /* somebody tidied up */
    assert_int_equal(api_open(&config, &f->api), 0);
    api_close(old);
    assert_return_code(stat(f->path, &st), errno);
    assert_return_code(stat(f->ro_path, &st), errno);
}

static void unanswered_call_may_be_answered_after_close(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    say(f, fd, "{\"cmd\":\"wait\"}\n");
    api_close(f->api);
    f->api = NULL;
    turn(f);
    assert_null(hear(f, fd));
    api_fail(f->waiting, "too late");
    close(fd);
}

static void folder_may_be_longer_than_a_socket_address(void **state)
{
    struct fixture *f = *state;
    char longer[300], tail[121];
    struct api *second = NULL;
    memset(tail, 'x', 120);
    tail[120] = '\0';
    snprintf(longer, sizeof(longer), "%s/%s", f->run_dir, tail);
    struct api_config config = config_of(f);
    config.run_dir = longer;
    assert_int_equal(api_open(&config, &second), 0);
    api_close(second);
    turn(f);
    assert_return_code(rmdir(longer), errno); /* nothing was left in it */
}

static void folder_that_cannot_be_made_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct api *second = NULL;
    struct api_config config = config_of(f);
    config.run_dir = "/dev/null/run";
    assert_int_equal(api_open(&config, &second), ERR_NOT_FOUND);
    assert_int_equal(errno, ENOTDIR);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the node does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(request_is_answered_with_one_line, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_in_one_write_are_answered_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(request_may_come_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(next_request_waits_for_the_answer_to_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(list_of_any_length_is_one_line, setup, teardown),
        cmocka_unit_test_setup_teardown(one_turn_makes_one_piece_of_a_list, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_reader_of_a_list_holds_little_and_its_end_frees_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(list_ends_with_the_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(list_for_a_caller_that_is_gone_is_freed, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_lines_are_told_and_never_handled, setup, teardown),
        cmocka_unit_test_setup_teardown(overlong_line_is_hung_up_on, setup, teardown),
        cmocka_unit_test_setup_teardown(longest_line_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(caller_that_hangs_up_is_no_error, setup, teardown),
        cmocka_unit_test_setup_teardown(error_with_a_cut_name_is_still_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(callers_are_bounded_and_their_place_is_given_again, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_that_take_all_places_keep_nobody_else_out, setup, teardown),
        cmocka_unit_test_setup_teardown(caller_is_known_by_its_socket_its_user_and_its_process, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sockets_are_private_and_go_at_close, setup, teardown),
        cmocka_unit_test_setup_teardown(group_may_connect_to_the_socket_for_readers_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(socket_stays_private_where_its_file_cannot_be_given_to_the_group,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(link_put_in_the_sockets_place_is_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(second_node_with_the_id_is_refused_and_told_who_holds_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sockets_of_a_dead_process_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(sockets_of_a_successor_are_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(unanswered_call_may_be_answered_after_close, setup, teardown),
        cmocka_unit_test_setup_teardown(folder_may_be_longer_than_a_socket_address, setup, teardown),
        cmocka_unit_test_setup_teardown(folder_that_cannot_be_made_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
