/* SPDX-License-Identifier: Apache-2.0 */
/* The steps for each host:
 *
 *     NAME ──▶ STUN, to each address              a server of -stun
 *       └────▶ STUN, and GET /v1/info ──▶ STUN    a backbone, which tells its STUN port
 *
 * When nothing is open any more, or after NETCHECK_US, it is told what is known. */

#include "node/netcheck/netcheck.h"

#include "base/clock.h"
#include "node/config/proxy.h"
#include "node/helper/helper_client.h"
#include "node/helper/name_client.h"
#include "node/netcheck/netcheck_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_handle_closed(struct netcheck *n)
{
    if (--n->handles == 0)
        free(n);
}

static void on_udp_closed(void *context)
{
    on_handle_closed(context);
}

static void on_deadline_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static void close_all(struct netcheck *n)
{
    n->ended = true;
    for (unsigned i = 0; i < n->host_count; i++) {
        name_client_forget(n->config.names, &n->hosts[i]);
        if (n->config.backbones)
            helper_client_forget(n->config.backbones, &n->hosts[i]);
    }
    n->handles = 2;
    netcheck_udp_close(&n->udp, on_udp_closed);
    uv_close((uv_handle_t *)&n->deadline, on_deadline_closed);
}

static void finish(struct netcheck *n)
{
    json_t *result = netcheck_json(n, clock_monotonic_us());
    close_all(n);
    n->done(n->context, result);
}

static void on_timer(uv_timer_t *timer)
{
    finish(timer->data);
}

/* Nobody is answered from within what asked. */
static void look_whether_over(void *context)
{
    struct netcheck *n = context;
    bool busy = !netcheck_udp_is_over(&n->udp);
    for (unsigned i = 0; i < n->host_count; i++)
        busy |= n->hosts[i].busy;
    if (!busy && !n->ended)
        uv_timer_start(&n->deadline, on_timer, 0, 0);
}

/* ---- one host ---- */

static void fail(struct netcheck_host *h, const char *why)
{
    h->busy = false;
    snprintf(h->error, sizeof(h->error), "%s", why);
    look_whether_over(h->owner);
}

static void ask_stun(struct netcheck_host *h, const struct addr *at, uint16_t port)
{
    struct addr server = *at;
    server.port = port;
    for (unsigned i = 0; i < h->count; i++)
        if (addr_equal(&h->stun[i], &server))
            return;
    if (h->count == HELPER_ADDRESSES_MAX)
        return;
    h->stun[h->count++] = server;
    netcheck_udp_add(&h->owner->udp, &server);
}

/* Of each family the first. */
static void ask_stun_at(struct netcheck_host *h, const struct addr *list, unsigned count, uint16_t port)
{
    for (unsigned family = 4; family <= 6; family += 2)
        for (unsigned i = 0; i < count; i++)
            if (list[i].family == family) {
                ask_stun(h, &list[i], port);
                break;
            }
}

static void on_info(void *context, const struct helper_message *answer)
{
    struct netcheck_host *h = context;
    h->busy = false;
    if (!answer || answer->kind != HELPER_BACKBONE) {
        fail(h, "its process does not answer");
        return;
    }
    if (answer->verdict != BACKBONE_OK) {
        fail(h, answer->text);
        return;
    }
    h->rtt_us = clock_monotonic_us() - h->asked_us;
    if (answer->address_count)
        ask_stun(h, &answer->addresses[0], answer->addresses[0].port);
    look_whether_over(h->owner);
}

static void ask_info(struct netcheck_host *h, const struct addr *list, unsigned count)
{
    struct helper_message m = {.kind = HELPER_ASK_INFO, .number = h->number, .address_count = count};
    memcpy(m.addresses, list, count * sizeof(*list));
    h->asked_us = clock_monotonic_us();
    int err = helper_client_ask(h->owner->config.backbones, &m, on_info, h);
    if (err)
        fail(h, err_str(err));
}

static void on_addresses(struct netcheck_host *h, const struct addr *list, unsigned count)
{
    struct http_url url;
    struct addr own;
    if (!h->url) {
        ask_stun_at(h, list, count, h->http.port);
        h->busy = false;
        look_whether_over(h->owner);
        return;
    }
    if (!h->by_proxy)
        ask_stun_at(h, list, count, h->http.port);
    else if (http_url_parse(h->url, &url) && addr_parse(url.host, 0, &own) == 0)
        ask_stun(h, &own, url.port);
    ask_info(h, list, count);
}

static void on_found(void *context, const struct addr *list, unsigned count, const char *why)
{
    char cause[HELPER_TEXT_MAX];
    struct netcheck_host *h = context;
    if (count) {
        on_addresses(h, list, count);
        return;
    }
    snprintf(cause, sizeof(cause), "its %sname cannot be looked up: %.200s", h->by_proxy ? "proxy's " : "",
             why);
    fail(h, cause);
}

static void begin_host(struct netcheck_host *h)
{
    struct addr a;
    h->busy = true;
    if (addr_parse(h->http.host, 0, &a) == 0) {
        on_addresses(h, &a, 1);
        return;
    }
    int err = name_client_ask(h->owner->config.names, h->http.host, on_found, h);
    if (err)
        fail(h, err == ERR_ARGUMENT ? "it is no name" : err_str(err));
}

/* ---- all ---- */

static void list_hosts(struct netcheck *n)
{
    const struct config *c = n->config.config;
    for (unsigned i = 0; i < c->backbone_count; i++) {
        const char *proxy = n->config.proxies[i].url;
        struct netcheck_host *h = &n->hosts[n->host_count];
        *h = (struct netcheck_host){
            .owner = n, .url = c->backbones[i], .number = i, .by_proxy = proxy[0] != '\0'};
        n->host_count += http_url_parse(h->by_proxy ? proxy : h->url, &h->http);
    }
    for (unsigned i = 0; i < c->stun_count; i++) {
        struct netcheck_host *h = &n->hosts[n->host_count++];
        *h = (struct netcheck_host){.owner = n};
        memcpy(h->http.host, c->stun[i].name, sizeof(h->http.host));
        h->http.port = c->stun[i].port;
    }
}

int netcheck_start(const struct netcheck_config *config, void (*done)(void *context, json_t *result),
                   void *context, struct netcheck **out)
{
    struct netcheck *n = calloc(1, sizeof(*n));
    if (!n)
        return ERR_NOMEM;
    *n = (struct netcheck){
        .config = *config, .done = done, .context = context, .begun_us = clock_monotonic_us()};
    int err = netcheck_udp_open(&n->udp, config->loop, look_whether_over, n);
    if (err) {
        free(n);
        return err;
    }
    uv_timer_init(config->loop, &n->deadline);
    n->deadline.data = n;
    uv_timer_start(&n->deadline, on_timer, NETCHECK_US / USEC_PER_MSEC, 0);
    list_hosts(n);
    for (unsigned i = 0; i < n->host_count; i++)
        n->hosts[i].busy = true;
    for (unsigned i = 0; i < n->host_count; i++)
        begin_host(&n->hosts[i]);
    look_whether_over(n);
    *out = n;
    return 0;
}

void netcheck_cancel(struct netcheck *n)
{
    close_all(n);
}
