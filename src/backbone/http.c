/* SPDX-License-Identifier: Apache-2.0 */
/* The glue to libmicrohttpd: collects a bounded body, asks the routes, sends the answer. */

#include "backbone/http.h"

#include "backbone/arrivals.h"
#include "backbone/connections.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/secret.h"
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CLOSING_MAX                                                                                          \
    64 /* that libmicrohttpd still counts and we no longer: it would refuse others without a word */
#define HEADER_MEMORY 16384 /* of one connection: request line, headers, and the answer's headers */
#define DISCARD_MAX                                                                                          \
    (1u << 20) /* of a body of unknown length that proved too large: read, so that the 413 arrives */
#define BODY_STEP 8192

struct http {
    struct MHD_Daemon *daemon;
    struct http_with with;
    struct connections *connections;
    struct arrivals *arrivals;
    int listener;
};

/* A request whose body is coming in, and then its answer. */
struct exchange {
    struct addr from;
    uint8_t *body;
    size_t len, cap;
    size_t received; /* more than len when the body is too large */
    bool asked;      /* the desk had it: the answer is whole */
    struct errand errand;
    struct order order;
    struct MHD_Connection *connection; /* while it is suspended */
};

static void on_log(void *context, const char *format, va_list args)
{
    char line[256];
    (void)context;
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\n")] = '\0';
    log_debug("http: %s", line);
}

/* Each connection of a trusted proxy is a source of its own here: it has one user's request or another's. */
static void spread_proxy(const struct http *h, struct addr *source)
{
    if (!forwarded_trusts(h->with.proxies, source))
        return;
    source->family = 6;
    secret_random(source->ip, sizeof(source->ip));
}

static struct connection *add(struct http *h, struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *from = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct addr source;
    bool pushed;
    if (!fd || !from || addr_from_sockaddr(from->client_addr, &source) != 0)
        return NULL;
    spread_proxy(h, &source);
    struct connection *one =
        connections_add(h->connections, fd->connect_fd, &source, clock_monotonic_us(), &pushed);
    atomic_fetch_add_explicit(&h->with.metrics->pushed, pushed, memory_order_relaxed);
    return one;
}

static void on_connection(void *context, struct MHD_Connection *c, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *h = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = add(h, c);
    } else {
        connections_remove(h->connections, *slot);
        atomic_fetch_sub_explicit(&h->with.metrics->connections, 1, memory_order_relaxed);
    }
}

static void on_completed(void *context, struct MHD_Connection *c, void **exchange,
                         enum MHD_RequestTerminationCode code)
{
    struct http *h = context;
    struct exchange *x = *exchange;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && info)
        connections_served(h->connections, info->socket_context, clock_monotonic_us());
    if (x) {
        free(x->body);
        free(x->order.answer.body); /* of one that left while the desk had its request */
    }
    free(x);
    *exchange = NULL;
}

static struct MHD_Response *response_of(const struct response *answer)
{
    static char out_of_memory[] = "{\"error\":\"out of memory\"}";
    struct MHD_Response *r;
    if (answer->body)
        r = MHD_create_response_from_buffer(answer->len, answer->body, MHD_RESPMEM_MUST_FREE);
    else
        r = MHD_create_response_from_buffer(strlen(out_of_memory), out_of_memory, MHD_RESPMEM_PERSISTENT);
    if (!r) {
        free(answer->body);
        return NULL;
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
                            answer->body ? answer->type : "application/json");
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (answer->allow)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, answer->allow);
    if (answer->upgrade)
        MHD_add_response_header(r, MHD_HTTP_HEADER_UPGRADE, "websocket");
    if (answer->retry_after_s) {
        char seconds[16];
        snprintf(seconds, sizeof(seconds), "%u", answer->retry_after_s);
        MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    return r;
}

/* Takes the answer's body. MHD_NO closes the connection. */
static enum MHD_Result send_answer(struct MHD_Connection *c, struct response *answer)
{
    struct MHD_Response *r = response_of(answer);
    answer->body = NULL;
    if (!r)
        return MHD_NO;
    enum MHD_Result ret = MHD_queue_response(c, answer->status, r);
    MHD_destroy_response(r);
    return ret;
}

/* libmicrohttpd keeps a place and 16 KB for each connection that it has upgraded, so it gives it up at once: the uplink has
 * a descriptor of its own. */
static void on_upgrade(void *context, struct MHD_Connection *c, void *exchange, const char *early,
                       size_t early_len, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    const struct exchange *x = exchange;
    struct http *h = context;
    (void)c;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own >= 0)
        uplinks_give(h->with.uplinks, own, &x->from, x->order.request.visits,
                     (struct slice){(const uint8_t *)early, early_len});
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

static enum MHD_Result send_upgrade(struct http *h, struct MHD_Connection *c, const struct response *answer)
{
    struct MHD_Response *r = MHD_create_response_for_upgrade(on_upgrade, h);
    if (!r)
        return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_UPGRADE, "websocket");
    MHD_add_response_header(r, "Sec-WebSocket-Accept", answer->accept);
    MHD_add_response_header(r, "Sec-WebSocket-Protocol", UPLINK_SUBPROTOCOL);
    enum MHD_Result ret = MHD_queue_response(c, MHD_HTTP_SWITCHING_PROTOCOLS, r);
    MHD_destroy_response(r);
    return ret;
}

static int append(struct exchange *x, const char *data, size_t len)
{
    x->received += len;
    if (x->received > ROUTES_BODY_MAX)
        return x->received > DISCARD_MAX ? ERR_SPACE : 0;
    if (x->len + len > x->cap) {
        size_t cap = (x->len + len + BODY_STEP - 1) / BODY_STEP * BODY_STEP;
        uint8_t *body = realloc(x->body, cap);
        if (!body)
            return ERR_NOMEM;
        x->body = body;
        x->cap = cap;
    }
    memcpy(x->body + x->len, data, len);
    x->len += len;
    return 0;
}

static enum MHD_Result refuse_large(struct http *h, struct MHD_Connection *c)
{
    struct response answer;
    routes_answer_too_large(h->with.routes, &answer);
    return send_answer(c, &answer);
}

/* What libmicrohttpd lets pass in the headers of a request. */
struct headers {
    unsigned lengths; /* Content-Length headers */
    bool bad_name;
};

/* RFC 9110 §5.6.2. */
static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return len > 0;
}

static enum MHD_Result look_at_header(void *context, enum MHD_ValueKind kind, const char *name, size_t len,
                                      const char *value, size_t value_len)
{
    struct headers *seen = context;
    (void)kind, (void)value, (void)value_len;
    seen->bad_name |= !is_token(name, len);
    seen->lengths += len == strlen(MHD_HTTP_HEADER_CONTENT_LENGTH) &&
                     strncasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH, len) == 0;
    return MHD_YES;
}

/* NULL, or what is wrong. A proxy in front may read such a request in another way: RFC 9112 §6.3, §11.2. */
static const char *wrong_headers(struct MHD_Connection *c)
{
    struct headers seen = {0};
    (void)MHD_get_connection_values_n(c, MHD_HEADER_KIND, look_at_header, &seen);
    return seen.bad_name      ? "a header's name is no token"
           : seen.lengths > 1 ? "there is more than one Content-Length"
                              : NULL;
}

static enum MHD_Result refuse_malformed(struct http *h, struct MHD_Connection *c, const char *why)
{
    struct response answer;
    routes_answer_malformed(h->with.routes, why, &answer);
    return send_answer(c, &answer);
}

/* The headers are here; the body, if any, is not. */
static enum MHD_Result begin(struct http *h, struct MHD_Connection *c, void **exchange)
{
    const char *why = wrong_headers(c);
    if (why)
        return refuse_malformed(h, c, why);
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length && strtoull(length, NULL, 10) > DISCARD_MAX)
        return refuse_large(h, c);
    *exchange = calloc(1, sizeof(struct exchange));
    return *exchange ? MHD_YES : MHD_NO;
}

static enum MHD_Result take_forwarded(void *context, enum MHD_ValueKind kind, const char *name, size_t len,
                                      const char *value, size_t value_len)
{
    static const char wanted[] = "X-Forwarded-For";
    (void)kind;
    if (len == sizeof(wanted) - 1 && strncasecmp(name, wanted, len) == 0 && value)
        forwarded_append(context, value, value_len);
    return MHD_YES;
}

static int source_of(struct http *h, struct MHD_Connection *c, struct addr *out)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct forwarded_text text = {.len = 0};
    struct addr from;
    if (!info || addr_from_sockaddr(info->client_addr, &from) != 0)
        return ERR_IO;
    if (forwarded_trusts(h->with.proxies, &from))
        (void)MHD_get_connection_values_n(c, MHD_HEADER_KIND, take_forwarded, &text);
    *out = forwarded_source(h->with.proxies, &from, &text);
    return 0;
}

static const char *header_of(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static void on_errand(void *order)
{
    routes_ask(order);
}

/* The directory's thread, or whoever closes its store. */
static void on_answered(void *context)
{
    struct exchange *x = context;
    MHD_resume_connection(x->connection);
}

/* Suspended before it is given away: the answer may come at once. */
static enum MHD_Result ask_desk(struct http *h, struct MHD_Connection *c, struct exchange *x)
{
    x->asked = true;
    x->connection = c;
    x->order.done = on_answered;
    x->order.context = x;
    x->errand = (struct errand){.run = on_errand, .context = &x->order};
    MHD_suspend_connection(c);
    if (!desk_give(h->with.desk, &x->errand)) {
        routes_answer_busy(&x->order);
        MHD_resume_connection(c);
    }
    return MHD_YES;
}

static enum MHD_Result finish(struct http *h, struct MHD_Connection *c, const char *method, const char *path,
                              struct exchange *x)
{
    x->order.request = (struct request){
        .method = method,
        .path = path,
        .after = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "after"),
        .limit = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "limit"),
        .visits = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, UPLINK_VISIT) != NULL,
        .body = {x->body, x->len},
        .upgrade = {header_of(c, MHD_HTTP_HEADER_UPGRADE), header_of(c, MHD_HTTP_HEADER_CONNECTION),
                    header_of(c, "Sec-WebSocket-Key"), header_of(c, "Sec-WebSocket-Version"),
                    header_of(c, "Sec-WebSocket-Protocol")},
        .now_us = clock_monotonic_us(),
        .now_s = clock_unix_s(),
    };
    struct response *answer = &x->order.answer;
    if (x->received > ROUTES_BODY_MAX)
        return refuse_large(h, c);
    if (source_of(h, c, &x->from) != 0)
        return MHD_NO;
    x->order.request.from = x->from;
    if (!routes_answer(h->with.routes, &x->order))
        return ask_desk(h, c, x);
    return answer->status == MHD_HTTP_SWITCHING_PROTOCOLS ? send_upgrade(h, c, answer)
                                                          : send_answer(c, answer);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *c, const char *path,
                                  const char *method, const char *version, const char *data, size_t *len,
                                  void **exchange)
{
    struct http *h = context;
    struct exchange *x = *exchange;
    (void)version;
    if (!x)
        return begin(h, c, exchange);
    if (x->asked)
        return send_answer(c, &x->order.answer);
    if (*len == 0)
        return finish(h, c, method, path, x);
    int err = append(x, data, *len);
    *len = 0;
    return err ? MHD_NO : MHD_YES;
}

/* ---- arrivals ---- */

static bool has_room(void *context)
{
    const struct http *h = context;
    return atomic_load_explicit(&h->with.metrics->connections, memory_order_relaxed) <
           HTTP_CONNECTIONS_MAX + HTTP_LEAVING_MAX;
}

/* Counted from here on, so that no more are accepted than there are places for. */
static void on_arrival(void *context, int fd, const struct addr *source)
{
    struct http *h = context;
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(source, false, &sa);
    metrics_add(&h->with.metrics->connections);
    if (MHD_add_connection(h->daemon, fd, (struct sockaddr *)&sa, len) != MHD_YES)
        metrics_subtract(&h->with.metrics->connections); /* which has closed it */
}

static void on_refused(void *context)
{
    metrics_add(&((struct http *)context)->with.metrics->refused);
}

static struct MHD_Daemon *start_daemon(struct http *h)
{
    return MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_UPGRADE |
            MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME,
        0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, h, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(HTTP_CONNECTIONS_MAX + HTTP_LEAVING_MAX + CLOSING_MAX), MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MEMORY,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
}

int http_start(int tcp, const struct http_with *with, struct http **out)
{
    struct http *h = calloc(1, sizeof(*h));
    if (!h)
        return ERR_NOMEM;
    h->with = *with;
    h->listener = tcp;
    const struct arrivals_config arrivals = {tcp, with->proxies, has_room, on_arrival, on_refused, h};
    int err = connections_new(HTTP_CONNECTIONS_MAX, HTTP_PER_SOURCE_MAX, HTTP_LEAVING_MAX, &h->connections);
    if (!err && !(h->daemon = start_daemon(h)))
        err = ERR_IO;
    if (!err)
        err = arrivals_start(&arrivals, &h->arrivals);
    if (!err) {
        *out = h;
        return 0;
    }
    h->listener = -1;
    http_stop(h);
    return err;
}

void http_stop(struct http *h)
{
    if (!h)
        return;
    arrivals_stop(h->arrivals);
    if (h->listener >= 0)
        close(h->listener);
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    connections_free(h->connections);
    free(h);
}

void http_cut_slow(struct http *h, uint64_t now_us)
{
    uint64_t patience_us = HTTP_REQUEST_S * USEC_PER_SEC;
    if (now_us < patience_us)
        return;
    unsigned cut = connections_cut(h->connections, now_us - patience_us);
    atomic_fetch_add_explicit(&h->with.metrics->cut, cut, memory_order_relaxed);
}
