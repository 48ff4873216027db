/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the node become HTTP, as many at once as HTTP has places, and its answers messages. */
#include "node/helper/backbone_helper.h"

#include "node/helper/backbone_api.h"
#include "node/helper/helper_cage.h"
#include "node/helper/helper_channel.h"

#include <stdio.h>
#include <stdlib.h>

struct backbone_helper {
    int fd;
    const struct backbone_helper_config *config;
    struct http_client *http;
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
    int place = backbone_api_request(ask, &request);
    if (place)
        return place;
    snprintf(url, sizeof(url), "%s%s", h->config->url, request.path);
    const struct http_request http = {url, request.json, ask->addresses, ask->address_count};
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

static bool is_request(enum helper_kind kind)
{
    return kind >= HELPER_ASK_INFO && kind <= HELPER_ASK_RECORD;
}

static int serve(struct backbone_helper *h)
{
    for (;;) {
        bool readable = http_client_wait(h->http, h->fd);
        answer_all(h);
        int err = readable ? helper_channel_receive(h->fd, &h->packet) : ERR_AGAIN;
        if (err == ERR_CLOSED)
            return EXIT_SUCCESS;
        if (!readable)
            continue;
        if (err || !is_request(h->packet.message.kind))
            return EXIT_FAILURE;
        on_ask(h);
    }
}

int backbone_helper_run(int fd, const void *context)
{
    static struct backbone_helper h;
    struct helper_message first = {.kind = HELPER_READY};
    h.fd = fd;
    h.config = context;
    char failed[HELPER_TEXT_MAX];
    if (http_client_new(&h.http, failed, sizeof(failed)) ||
        (h.config->caged && helper_cage_enter(HELPER_CAGE_BACKBONE, failed, sizeof(failed)))) {
        first.kind = HELPER_UNABLE;
        helper_message_set_text(&first, failed);
    }
    if (helper_channel_send(fd, &first) != 0 || first.kind == HELPER_UNABLE)
        return EXIT_FAILURE;
    return serve(&h);
}
