/* SPDX-License-Identifier: Apache-2.0 */
/* The node's API server: callers on Unix sockets, one request line at a time each, every buffer bounded.
 * docs/PROTOCOL.md §11. Control thread. */
#include "node/api/api.h"

#include "node/api/api_request.h"
#include "node/api/api_socket.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CLIENTS_MAX 32    /* on each socket: who may only read keeps nobody else out */
#define IDLE_MS     30000 /* to send a request, and to take its answer */
#define LATER_MS    100   /* until there may be memory again */

struct listener {
    struct api *api;
    uv_pipe_t pipe;
    uv_timer_t later; /* for a caller that found no memory */
    bool open;        /* its handles are */
    bool reads_only;
    unsigned clients;
};

struct api {
    struct api_config config;
    struct api_sockets sockets;
    struct listener listeners[API_ACCESSES];
    unsigned handles; /* not yet closed; the last one frees us */
    bool closing;
    struct client *clients;
};

/* reading → (a whole line) → answering, until api_reply → writing → reading. Of a list, one piece is written after the
 * other. */
struct client {
    struct api *api;
    struct listener *listener;
    struct api_caller caller;
    struct client *next;
    uv_pipe_t pipe;
    uv_timer_t idle;
    unsigned handles;
    bool closing;
    struct api_call *call; /* while answering */
    uv_write_t write;
    char *response;       /* while writing */
    struct api_list list; /* of which the response is a piece; next NULL: it is whole */
    size_t len;
    char line[API_REQUEST_MAX];
};

struct api_call {
    struct client *client; /* NULL once the caller is gone */
    struct api_caller caller;
};

static void api_release(struct api *api)
{
    if (--api->handles > 0)
        return;
    free(api);
}

const struct api_caller *api_call_by(const struct api_call *call)
{
    return &call->caller;
}

static void list_end(struct client *c)
{
    if (c->list.next)
        c->list.free(c->list.context);
    c->list.next = NULL;
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;
    if (--c->handles > 0)
        return;
    struct api *api = c->api;
    free(c->response);
    free(c);
    api_release(api);
}

static void client_close(struct client *c)
{
    if (c->closing)
        return;
    c->closing = true;
    if (c->call)
        c->call->client = NULL;
    c->call = NULL;
    list_end(c);
    struct client **at = &c->api->clients;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->listener->clients--;
    uv_close((uv_handle_t *)&c->idle, on_client_closed);
    uv_close((uv_handle_t *)&c->pipe, on_client_closed);
}

static void on_idle(uv_timer_t *timer)
{
    client_close(timer->data);
}

static void client_next(struct client *c);
static void on_turn(uv_timer_t *timer);

/* The next piece of a list waits for the next turn of the loop: libuv reports several writes in one. */
static void on_written(uv_write_t *write, int status)
{
    struct client *c = write->data;
    free(c->response);
    c->response = NULL;
    if (status < 0)
        client_close(c);
    else if (!c->closing && c->list.next)
        uv_timer_start(&c->idle, on_turn, 0, 0);
    else if (!c->closing)
        client_next(c);
}

/* Takes text; NULL hangs up. */
static void client_write(struct client *c, char *text, size_t len)
{
    uv_buf_t buf = uv_buf_init(text, (unsigned)len);
    c->response = text;
    c->write.data = c;
    uv_timer_start(&c->idle, on_idle, IDLE_MS, 0);
    if (!text || uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written) != 0)
        client_close(c);
}

static void write_piece(struct client *c, bool first)
{
    size_t len = 0;
    bool last = false;
    char *text = api_response_piece(&c->list, first, &last, &len);
    if (last)
        list_end(c);
    client_write(c, text, len);
}

static void on_turn(uv_timer_t *timer)
{
    write_piece(timer->data, false);
}

static void client_fail(struct client *c, const char *error)
{
    size_t len = 0;
    char *text = api_response_error(error, &len);
    client_write(c, text, len);
}

static void client_request(struct client *c, const char *line, size_t len)
{
    json_t *request = NULL;
    const char *command = NULL;
    if (api_request_parse(line, len, &request, &command) != 0) {
        client_fail(c, "no request: expected one JSON object with \"cmd\"");
        return;
    }
    struct api_call *call = malloc(sizeof(*call));
    if (!call) {
        json_decref(request);
        client_close(c);
        return;
    }
    call->client = c;
    call->caller = c->caller;
    c->call = call;
    uv_timer_stop(&c->idle); /* the wait is ours now */
    c->api->config.handle(c->api->config.context, command, request, call);
    json_decref(request);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init(c->line + c->len, (unsigned)(sizeof(c->line) - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = stream->data;
    (void)buf;
    if (n < 0) {
        client_close(c);
        return;
    }
    c->len += (size_t)n;
    client_next(c);
}

/* Handles the first whole line in the buffer, or reads on. While a request is in the works nothing is read,
 * so a caller can never make us hold more than one line and one answer. */
static void client_next(struct client *c)
{
    char *end = memchr(c->line, '\n', c->len);
    if (!end && c->len == sizeof(c->line)) {
        client_close(c);
        return;
    }
    if (!end) {
        int err = uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
        if (err && err != UV_EALREADY)
            client_close(c);
        return;
    }
    char line[API_REQUEST_MAX];
    size_t len = (size_t)(end - c->line);
    memcpy(line, c->line, len);
    c->len -= len + 1;
    memmove(c->line, end + 1, c->len);
    uv_read_stop((uv_stream_t *)&c->pipe);
    client_request(c, line, len);
}

static struct client *client_new(struct listener *l)
{
    struct api *api = l->api;
    struct client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->api = api;
    c->listener = l;
    l->clients++;
    api->handles++;
    c->handles = 2;
    uv_pipe_init(api->config.loop, &c->pipe, 0);
    uv_timer_init(api->config.loop, &c->idle);
    c->pipe.data = c->idle.data = c;
    c->next = api->clients;
    api->clients = c;
    return c;
}

static int identify(struct client *c)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&c->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return ERR_IO;
    c->caller = (struct api_caller){c->listener->reads_only, cred.uid, cred.pid};
    return 0;
}

static void on_later(uv_timer_t *timer);

/* libuv holds on to who is not accepted, and listens no further until it is. */
static void accept_one(struct listener *l)
{
    struct client *c = client_new(l);
    if (!c) {
        uv_timer_start(&l->later, on_later, LATER_MS, 0);
        return;
    }
    if (uv_accept((uv_stream_t *)&l->pipe, (uv_stream_t *)&c->pipe) != 0 || l->clients > CLIENTS_MAX ||
        identify(c) != 0) {
        client_close(c);
        return;
    }
    uv_timer_start(&c->idle, on_idle, IDLE_MS, 0);
    client_next(c);
}

static void on_later(uv_timer_t *timer)
{
    accept_one(timer->data);
}

static void on_connection(uv_stream_t *pipe, int status)
{
    struct listener *l = pipe->data;
    if (status == 0 && !l->api->closing)
        accept_one(l);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    api_release(l->api);
}

static int listen_on_loop(struct api *api, enum api_access access)
{
    struct listener *l = &api->listeners[access];
    int err = uv_pipe_init(api->config.loop, &l->pipe, 0);
    if (err)
        return err;
    l->api = api;
    l->reads_only = access == API_ACCESS_READS;
    uv_timer_init(api->config.loop, &l->later);
    l->pipe.data = l->later.data = l;
    l->open = true;
    api->handles += 2;
    err = uv_pipe_open(&l->pipe, api->sockets.of[access].fd);
    if (!err)
        api->sockets.of[access].fd = -1; /* the loop's */
    return err ? err : uv_listen((uv_stream_t *)&l->pipe, CLIENTS_MAX, on_connection);
}

int api_open(const struct api_config *config, struct api **out)
{
    pid_t holder = 0;
    struct api *api = calloc(1, sizeof(*api));
    if (!api)
        return ERR_NOMEM;
    api->config = *config;
    int err = api_sockets_open(&api->sockets, config->run_dir, config->id, &holder);
    if (config->holder)
        *config->holder = holder;
    if (err) {
        free(api);
        return err;
    }
    int uv_err = listen_on_loop(api, API_ACCESS_ALL);
    if (!uv_err)
        uv_err = listen_on_loop(api, API_ACCESS_READS);
    if (uv_err) {
        api_close(api);
        errno = -uv_err;
        return ERR_IO;
    }
    *out = api;
    return 0;
}

void api_close(struct api *api)
{
    if (!api || api->closing)
        return;
    api->closing = true;
    while (api->clients)
        client_close(api->clients);
    api_sockets_close(&api->sockets);
    bool none = api->handles == 0;
    for (unsigned i = 0; i < API_ACCESSES; i++)
        if (api->listeners[i].open) {
            uv_close((uv_handle_t *)&api->listeners[i].pipe, on_listener_closed);
            uv_close((uv_handle_t *)&api->listeners[i].later, on_listener_closed);
        }
    if (none)
        free(api);
}

static void answer(struct api_call *call, char *text, size_t len)
{
    struct client *c = call->client;
    free(call);
    if (!c) {
        free(text);
        return;
    }
    c->call = NULL;
    client_write(c, text, len);
}

void api_reply(struct api_call *call, json_t *result)
{
    size_t len = 0;
    char *text = call->client ? api_response_ok(result, &len) : NULL;
    json_decref(result);
    answer(call, text, len);
}

void api_reply_list(struct api_call *call, const struct api_list *list)
{
    struct client *c = call->client;
    free(call);
    if (!c) {
        list->free(list->context);
        return;
    }
    c->call = NULL;
    c->list = *list;
    write_piece(c, true);
}

void api_fail(struct api_call *call, const char *format, ...)
{
    char error[512];
    size_t len = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(error, sizeof(error), format, args);
    va_end(args);
    char *text = api_response_error(error, &len);
    answer(call, text, len);
}
