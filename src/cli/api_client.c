/* SPDX-License-Identifier: Apache-2.0 */
/* The API's callers' side: one connection per request, bounded in time and size. */
#include "cli/api_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX (64u << 20) /* thousands of peers fit; a runaway does not */
#define PID_MS     1000

/* A node that is not there is ERR_CLOSED. */
static int error_of_errno(void)
{
    switch (errno) {
    case ENOENT:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENOTSOCK:
        return ERR_CLOSED;
    default:
        return err_from_errno(errno);
    }
}

/* "<id>.sock" */
static bool parse_name(const char *name, struct node_id *out)
{
    char hex[ID_TEXT_MAX];
    if (strlen(name) != ID_HEX_LEN + 5 || strcmp(name + ID_HEX_LEN, ".sock") != 0)
        return false;
    memcpy(hex, name, ID_HEX_LEN);
    hex[ID_HEX_LEN] = '\0';
    return id_parse(hex, out) == 0;
}

static int compare_ids(const void *a, const void *b)
{
    return id_compare(a, b);
}

int api_client_list(const char *run_dir, struct node_id **ids, size_t *count)
{
    *ids = NULL;
    *count = 0;
    size_t cap = 0;
    DIR *dir = opendir(run_dir);
    if (!dir)
        return errno == ENOENT ? 0 : err_from_errno(errno);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct node_id id;
        if (!parse_name(entry->d_name, &id))
            continue;
        if (*count == cap) {
            cap = cap ? 2 * cap : 16;
            *ids = realloc(*ids, cap * sizeof(**ids));
            if (!*ids)
                abort();
        }
        (*ids)[(*count)++] = id;
    }
    closedir(dir);
    if (*count)
        qsort(*ids, *count, sizeof(**ids), compare_ids);
    return 0;
}

/* Paths go through /proc/self/fd, as sun_path ends at 107 bytes and folders do not. */
static int connect_socket(const char *run_dir, const struct node_id *id, const char *ending, int timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    char hex[ID_TEXT_MAX];
    int dir_fd = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = dir_fd >= 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    bool ok = fd >= 0;
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s%s", dir_fd, id_format(id, hex),
             ending);
    ok = ok && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0;
    ok = ok && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    int saved = errno;
    if (dir_fd >= 0)
        close(dir_fd);
    if (!ok && fd >= 0)
        close(fd);
    errno = saved;
    return ok ? fd : -1;
}

/* Whoever may not ask for everything may perhaps read. */
static int connect_node(const char *run_dir, const struct node_id *id, bool reads, int timeout_ms)
{
    int fd = connect_socket(run_dir, id, ".sock", timeout_ms);
    if (fd >= 0 || !reads || errno != EACCES)
        return fd;
    fd = connect_socket(run_dir, id, ".ro.sock", timeout_ms);
    if (fd < 0 && errno == ENOENT)
        errno = EACCES; /* an older node has one socket */
    return fd;
}

/* Takes request. */
static int send_request(int fd, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    size_t len = text ? strlen(text) : 0;
    json_decref(request);
    if (!text)
        return ERR_NOMEM;
    text[len] = '\n'; /* in the place of its NUL */
    ssize_t sent = send(fd, text, len + 1, MSG_NOSIGNAL);
    free(text);
    if (sent == (ssize_t)len + 1)
        return 0;
    return sent < 0 && errno != EAGAIN ? error_of_errno() : ERR_AGAIN;
}

/* Waits until fd has something to read. */
static int wait_readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, timeout_ms);
    return n > 0 || (n < 0 && errno == EINTR) ? 0 : n == 0 ? ERR_AGAIN : ERR_IO;
}

/* Reads up to the newline; the caller frees *line. A long answer takes its time: each part has timeout_ms. */
static int read_line(int fd, int timeout_ms, char **line, size_t *len)
{
    size_t cap = 0;
    *line = NULL;
    *len = 0;
    for (;;) {
        if (*len == cap) {
            cap = cap ? 2 * cap : 16384;
            char *more = cap <= ANSWER_MAX ? realloc(*line, cap) : NULL;
            if (!more)
                return ERR_FORMAT;
            *line = more;
        }
        int err = wait_readable(fd, timeout_ms);
        if (err)
            return err;
        ssize_t n = recv(fd, *line + *len, cap - *len, MSG_DONTWAIT);
        if (n == 0)
            return ERR_CLOSED;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0)
            return error_of_errno();
        char *end = memchr(*line + *len, '\n', (size_t)n);
        *len += (size_t)n;
        if (end) {
            *len = (size_t)(end - *line);
            return 0;
        }
    }
}

static int read_answer(const char *line, size_t len, json_t **result, char error[API_ERROR_MAX])
{
    json_t *root = json_loadb(line, len, 0, NULL);
    json_t *value = json_object_get(root, "result");
    const char *refusal = json_string_value(json_object_get(root, "error"));
    int err = ERR_FORMAT;
    if (json_is_true(json_object_get(root, "ok")) && value) {
        *result = json_incref(value);
        err = 0;
    } else if (refusal) {
        snprintf(error, API_ERROR_MAX, "%s", refusal);
        err = ERR_NOT_FOUND;
    }
    json_decref(root);
    return err;
}

static int call(int fd, json_t *request, int timeout_ms, json_t **result, char error[API_ERROR_MAX])
{
    char *line = NULL;
    size_t len = 0;
    *result = NULL;
    error[0] = '\0';
    if (fd < 0) {
        json_decref(request);
        return errno == EAGAIN ? ERR_AGAIN : error_of_errno();
    }
    int err = send_request(fd, request);
    if (!err)
        err = read_line(fd, timeout_ms, &line, &len);
    if (!err)
        err = read_answer(line, len, result, error);
    free(line);
    close(fd);
    return err;
}

int api_client_read(const char *run_dir, const struct node_id *id, json_t *request, int timeout_ms,
                    json_t **result, char error[API_ERROR_MAX])
{
    return call(connect_node(run_dir, id, true, timeout_ms), request, timeout_ms, result, error);
}

int api_client_call(const char *run_dir, const struct node_id *id, json_t *request, int timeout_ms,
                    json_t **result, char error[API_ERROR_MAX])
{
    return call(connect_node(run_dir, id, false, timeout_ms), request, timeout_ms, result, error);
}

int api_client_pid(const char *run_dir, const struct node_id *id, pid_t *out)
{
    struct ucred who = {0};
    socklen_t len = sizeof(who);
    int fd = connect_socket(run_dir, id, ".sock", PID_MS);
    if (fd < 0)
        return error_of_errno();
    /* of the process that listens */
    int err = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 ? 0 : err_from_errno(errno);
    close(fd);
    *out = who.pid;
    return err || who.pid > 0 ? err : ERR_CLOSED;
}
