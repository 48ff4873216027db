/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the node become HTTP, as many at once as HTTP has places, and its answers messages. */
#include "node/helper/backbone_helper.h"

#include "node/helper/backbone_api.h"
#include "node/helper/helper_cage.h"
#include "node/helper/helper_channel.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of freed memory that are kept: messages of 64 KB come and go, and giving each one's pages back costs more than all
 * that is done with them. */
#define SPARE_MAX (4 << 20)

struct backbone_helper {
    int fd;
    const struct backbone_helper_config *config;
    struct http_client *http;
    struct uplink_helper *uplinks[UPLINKS_MAX];
    struct curl_waitfd fds[1 + UPLINKS_MAX * UPLINK_HELPER_FDS_MAX]; /* the node's, and uplinks' … */
    unsigned fd_counts[UPLINKS_MAX];                                 /* … so many of each */
    struct {
        enum helper_kind kind;
        uint32_t token;
    } asked[HTTP_REQUESTS_MAX]; /* by the place of the HTTP request */
    struct helper_packet packet;
    struct backbone_bytes bytes;
};

static int start(struct backbone_helper *h, const struct helper_message *ask)
{
    char url[640];
    struct backbone_request request;
    const struct backbone_place *backbone = &h->config->places[ask->number];
    int place = backbone_api_request(ask, &request);
    if (place)
        return place;
    snprintf(url, sizeof(url), "%s%s", ask->text[0] ? ask->text : backbone->url, request.path);
    const struct http_request http = {.proxy = &backbone->proxy,
                                      .url = url,
                                      .interface = ask->interface,
                                      .json = request.json,
                                      .addresses = ask->addresses,
                                      .address_count = ask->address_count};
    place = http_client_start(h->http, &http);
    free(request.json);
    return place;
}

/* A node that is gone needs no answer. */
static void on_ask(struct backbone_helper *h)
{
    const struct helper_message *ask = &h->packet.message;
    int place = start(h, ask);
    if (place >= 0) {
        h->asked[place].kind = ask->kind;
        h->asked[place].token = ask->token;
        return;
    }
    struct helper_message refusal = {
        .kind = HELPER_BACKBONE, .token = ask->token, .verdict = BACKBONE_UNREACHABLE};
    helper_message_set_text(&refusal, err_str(place));
    (void)!helper_channel_send(h->fd, &refusal);
}

static void answer_all(struct backbone_helper *h)
{
    struct http_answer http;
    int place;
    while ((place = http_client_take(h->http, &http)) >= 0) {
        struct helper_message answer;
        backbone_api_answer(h->asked[place].kind, &http, &answer, &h->bytes);
        answer.token = h->asked[place].token;
        (void)!helper_channel_send(h->fd, &answer);
    }
}

static bool is_request(const struct backbone_helper *h, const struct helper_message *m)
{
    return m->kind >= HELPER_ASK_INFO && m->kind <= HELPER_ASK_RECORD && m->number < h->config->count;
}

/* Tells whether the node has said something. */
static bool wait_for_news(struct backbone_helper *h)
{
    int timeout_ms = INT_MAX;
    unsigned count = 1;
    h->fds[0] = (struct curl_waitfd){.fd = h->fd, .events = CURL_WAIT_POLLIN};
    for (unsigned i = 0; i < h->config->count; i++) {
        int at_most_ms;
        h->fd_counts[i] = uplink_helper_wants(h->uplinks[i], h->fds + count, &at_most_ms);
        count += h->fd_counts[i];
        timeout_ms = at_most_ms < timeout_ms ? at_most_ms : timeout_ms;
    }
    http_client_wait(h->http, h->fds, count, timeout_ms);
    return h->fds[0].revents != 0;
}

static int exit_code(int err)
{
    return err == ERR_CLOSED ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int turn_uplinks(struct backbone_helper *h)
{
    int err = 0;
    const struct curl_waitfd *fds = h->fds + 1;
    for (unsigned i = 0; !err && i < h->config->count; i++) {
        err = uplink_helper_turn(h->uplinks[i], fds, h->fd_counts[i]);
        fds += h->fd_counts[i];
    }
    return err;
}

static void end_uplinks(struct backbone_helper *h)
{
    for (unsigned i = 0; i < h->config->count; i++)
        uplink_helper_end(h->uplinks[i]);
}

static int serve(struct backbone_helper *h)
{
    for (;;) {
        bool readable = wait_for_news(h);
        answer_all(h);
        int err = readable ? helper_channel_receive(h->fd, &h->packet) : 0;
        if (err == ERR_CLOSED)
            end_uplinks(h);
        if (err || (readable && !is_request(h, &h->packet.message)))
            return exit_code(err);
        if (readable)
            on_ask(h);
        err = turn_uplinks(h);
        if (err == ERR_CLOSED) /* one channel is closed before the others */
            end_uplinks(h);
        if (err)
            return exit_code(err);
    }
}

static int open_uplinks(struct backbone_helper *h)
{
    int err = 0;
    for (unsigned i = 0; !err && i < h->config->count; i++) {
        const struct backbone_place *b = &h->config->places[i];
        err = uplink_helper_new(http_client_library(h->http), &b->proxy, b->url, &b->ends, &h->uplinks[i]);
    }
    return err;
}

static int begin(struct backbone_helper *h, char *failed, size_t size)
{
    int err = http_client_new(&h->http, failed, size);
    if (!err && h->config->caged)
        err = helper_cage_enter(HELPER_CAGE_BACKBONE, failed, size);
    if (!err) {
        snprintf(failed, size, "%s", err_str(ERR_NOMEM));
        err = open_uplinks(h);
    }
    return err;
}

int backbone_helper_run(int fd, const void *context)
{
    static struct backbone_helper h;
    struct helper_message first = {.kind = HELPER_READY};
    (void)mallopt(M_TRIM_THRESHOLD, SPARE_MAX);
    h.fd = fd;
    h.config = context;
    char failed[HELPER_TEXT_MAX];
    if (begin(&h, failed, sizeof(failed))) {
        first.kind = HELPER_UNABLE;
        helper_message_set_text(&first, failed);
    }
    if (helper_channel_send(fd, &first) != 0 || first.kind == HELPER_UNABLE)
        return EXIT_FAILURE;
    return serve(&h);
}
