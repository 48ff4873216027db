/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatch and rates, by the HTTP thread, and the JSON of every answer. */

#include "backbone/routes.h"

#include "backbone/challenge.h"
#include "backbone/cluster.h"
#include "proto/admission/limits.h"
#include "backbone/listing.h"
#include "backbone/registration.h"
#include "base/bucket.h"
#include "base/hex.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "proto/uplink/uplink_message.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCES                  16384
#define LOOKUP_INTERVAL_US       20000
#define LOOKUP_BURST             100
#define LISTING_COST             10
#define REGISTRATION_INTERVAL_US 1000000
#define REGISTRATION_BURST       60
#define RETRY_FULL_S             60
#define LOG_INTERVAL_US          1000000 /* of lines about registrations, for -v … */
#define LOG_BURST                10      /* … and how many at once */
#define METRICS_TYPE             "text/plain; version=0.0.4; charset=utf-8"
#define INSTANCE_LEN             8

struct routes {
    struct routes_config config;
    struct limits *lookups, *registrations; /* the HTTP thread's */
    struct bucket log_bucket;
    uint64_t log_withheld;
    char instance[INSTANCE_LEN * 2 + 1]; /* random: nodes notice a restart by it */
};

struct route {
    const char *method, *prefix, *suffix; /* suffix NULL: the prefix is the whole path */
    void (*answer)(const struct request *request, struct response *out); /* HTTP thread, or else … */
    void (*ask)(struct order *o);                                        /* … the directory's */
    unsigned cost; /* look-ups that it counts as; a registration has a budget of its own */
};

int routes_new(const struct routes_config *config, struct routes **out)
{
    struct routes *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    r->config = *config;
    uint8_t instance[INSTANCE_LEN];
    secret_random(instance, sizeof(instance));
    hex_encode(instance, sizeof(instance), r->instance);
    int err = limits_new(SOURCES, LOOKUP_INTERVAL_US, LOOKUP_BURST, &secret_source, &r->lookups);
    if (!err)
        err = limits_new(SOURCES, REGISTRATION_INTERVAL_US, REGISTRATION_BURST, &secret_source,
                         &r->registrations);
    if (err) {
        routes_free(r);
        return err;
    }
    *out = r;
    return 0;
}

void routes_free(struct routes *r)
{
    if (!r)
        return;
    limits_free(r->lookups);
    limits_free(r->registrations);
    free(r);
}

static void get_health(const struct request *request, struct response *out)
{
    (void)request;
    answer_json(out, 200, json_pack("{ss}", "status", "ok"));
}

/* An order's answer is whole. */
static void finish(void *context)
{
    struct order *o = context;
    metrics_answer(o->routes->config.metrics, o->answer.status);
    o->done(o->context);
}

/* NULL without memory. */
static json_t *backbones_of(const struct store_heard *heard)
{
    json_t *list = json_array();
    for (unsigned i = 0; list && i < heard->count; i++) {
        if (json_array_append_new(list, json_string(heard->urls[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static void get_info(struct order *o)
{
    struct routes *r = o->routes;
    static const struct store_heard nobody;
    const struct store_heard *heard = r->config.cluster ? cluster_heard(r->config.cluster) : &nobody;
    json_t *info = json_pack("{sssssisssisI}", "name", "shadowmesh-backbone", "version", SHADOWMESH_VERSION,
                             "api", 1, "instance", heard->count ? heard->generation : r->instance,
                             "stun_port", (int)r->config.stun_port, "nodes",
                             (json_int_t)directory_count(r->config.directory, o->request.now_s));
    if (info && heard->count && json_object_set_new(info, "backbones", backbones_of(heard)) != 0) {
        json_decref(info);
        info = NULL;
    }
    answer_json(&o->answer, 200, info);
    finish(o);
}

static void get_metrics(struct order *o)
{
    struct routes *r = o->routes;
    struct response *out = &o->answer;
    uint64_t nodes = directory_count(r->config.directory, o->request.now_s);
    out->body = metrics_format(r->config.metrics, nodes, r->config.cluster, &out->len);
    out->status = out->body ? 200 : 500;
    out->type = METRICS_TYPE;
    finish(o);
}

static void get_challenge(struct order *o)
{
    uint8_t challenge[RECORD_CHALLENGE_LEN];
    char hex[2 * sizeof(challenge) + 1];
    if (directory_challenge(o->routes->config.directory, o->request.now_s, challenge) != 0) {
        answer_error(&o->answer, 500, "the server cannot make a challenge");
    } else {
        hex_encode(challenge, sizeof(challenge), hex);
        answer_json(&o->answer, 200,
                    json_pack("{sssi}", "challenge", hex, "expires_s", CHALLENGE_LIFETIME_S));
    }
    finish(o);
}

static bool show_node(void *context, const struct store_entry *e)
{
    struct order *o = context;
    json_t *found = listing_signed_record(e);
    if (found && e->linked && json_object_set_new(found, "linked", json_string(e->linked)) != 0) {
        json_decref(found);
        found = NULL;
    }
    answer_json(&o->answer, 200, found);
    return false;
}

static void on_found(void *context, int err, uint64_t number)
{
    struct order *o = context;
    (void)number;
    if (err == ERR_NOT_FOUND)
        answer_error(&o->answer, 404, "no node with this id is registered now");
    else if (err)
        answer_unavailable(&o->answer);
    else
        metrics_add(&o->routes->config.metrics->lookups);
    finish(o);
}

static void get_node(struct order *o)
{
    struct node_id id;
    if (id_parse(o->request.path + strlen("/v1/nodes/"), &id) == 0) {
        directory_find(o->routes->config.directory, o->request.now_s, &id, show_node, on_found, o);
        return;
    }
    answer_error(&o->answer, 400, "a node's id is 40 hex digits");
    finish(o);
}

static void get_nodes(struct order *o)
{
    listing_answer(o->routes->config.directory, NULL, &o->request, &o->answer, finish, o);
}

static void get_network(struct order *o)
{
    char network[RECORD_NETWORK_MAX + 1];
    const char *begin = o->request.path + strlen("/v1/networks/");
    size_t len = strcspn(begin, "/");
    if (len == 0 || len >= sizeof(network)) {
        answer_error(&o->answer, 400, "a network's id is 1 to 40 characters");
        finish(o);
        return;
    }
    memcpy(network, begin, len);
    network[len] = '\0';
    listing_answer(o->routes->config.directory, network, &o->request, &o->answer, finish, o);
}

static void answer_registered(const struct request *request, const struct directory_receipt *receipt,
                              struct response *out)
{
    struct addr host = request->from;
    char id[ID_TEXT_MAX], observed[ADDR_TEXT_MAX];
    host.port = 0;
    host.scope = 0;
    answer_json(out, 201,
                json_pack("{sssIsIss}", "id", id_format(&receipt->id, id), "seq", (json_int_t)receipt->seq,
                          "expiry_s", (json_int_t)receipt->expiry_s, "observed",
                          addr_format(&host, observed)));
}

static void answer_verdict(enum directory_verdict verdict, const struct request *request,
                           const struct directory_receipt *receipt, struct response *out)
{
    switch (verdict) {
    case DIRECTORY_REGISTERED:
        answer_registered(request, receipt, out);
        return;
    case DIRECTORY_MALFORMED:
        answer_error(out, 400, "the record is malformed");
        return;
    case DIRECTORY_CHALLENGE:
        answer_error(out, 401, "the challenge is unknown or expired: get a new one from /v1/challenge");
        return;
    case DIRECTORY_EXPIRED:
        answer_error(out, 400,
                     "the record has expired by this server's clock: check the clocks of both machines");
        return;
    case DIRECTORY_EXPIRY_FAR:
        answer_error(
            out, 400,
            "the record expires more than an hour ahead by this server's clock: check the clocks of both "
            "machines");
        return;
    case DIRECTORY_ID:
        answer_error(out, 403, "the record's key does not hash to its id");
        return;
    case DIRECTORY_SIGNATURE:
        answer_error(out, 403, "the signature is not that of the record's key");
        return;
    case DIRECTORY_SEQ:
        answer_json(out, 409,
                    json_pack("{sssI}", "error", "seq must be above the stored one", "seq",
                              (json_int_t)receipt->stored_seq));
        return;
    case DIRECTORY_FULL:
        answer_error_later(out, 503, RETRY_FULL_S, "the directory has no room for another node");
        return;
    case DIRECTORY_UNAVAILABLE:
        answer_unavailable(out);
        return;
    }
}

static void log_registration(struct routes *r, const struct request *request, const struct node_id *id)
{
    static const struct bucket_rate rate = {LOG_INTERVAL_US, LOG_BURST};
    char text[ID_TEXT_MAX], from[ADDR_TEXT_MAX], withheld[48] = "";
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    if (!bucket_take(&r->log_bucket, &rate, 1, request->now_us)) {
        r->log_withheld++;
        return;
    }
    if (r->log_withheld)
        snprintf(withheld, sizeof(withheld), " (%" PRIu64 " more not shown)", r->log_withheld);
    r->log_withheld = 0;
    log_debug("registered %s from %s%s", id_format(id, text), addr_format(&request->from, from), withheld);
}

static void get_link(const struct request *request, struct response *out)
{
    const char *why = request->body.len || strcmp(request->method, "GET") != 0
                          ? "a request for a WebSocket is a GET without a body"
                          : upgrade_check(&request->upgrade, out->accept);
    out->status = 101;
    if (!why)
        return;
    out->upgrade = true;
    answer_error(out, 426, why);
}

/* A registration on its way. */
struct posting {
    struct registration registration;
    struct directory_order order;
};

static void on_registered(void *context, enum directory_verdict verdict,
                          const struct directory_receipt *receipt)
{
    struct order *o = context;
    if (verdict == DIRECTORY_REGISTERED) {
        metrics_add(&o->routes->config.metrics->registrations);
        log_registration(o->routes, &o->request, &receipt->id);
    }
    answer_verdict(verdict, &o->request, receipt, &o->answer);
    free(o->detail);
    finish(o);
}

static void post_nodes(struct order *o)
{
    struct posting *p = o->detail = malloc(sizeof(*p));
    const char *why = "out of memory";
    if (p && registration_decode((const char *)o->request.body.data, o->request.body.len, &p->registration,
                                 &why) == 0) {
        p->order = (struct directory_order){
            .record = {p->registration.record, p->registration.record_len},
            .signature = {p->registration.signature, sizeof(p->registration.signature)},
            .done = on_registered,
            .context = o};
        directory_register(o->routes->config.directory, o->request.now_s, &p->order);
        return;
    }
    answer_error(&o->answer, p ? 400 : 500, why);
    free(p);
    finish(o);
}

static const struct route table[] = {
    {"GET", "/health", NULL, get_health, NULL, 0},
    {"GET", "/metrics", NULL, NULL, get_metrics, 1},
    {"GET", "/v1/info", NULL, NULL, get_info, 1},
    {"GET", "/v1/challenge", NULL, NULL, get_challenge, 1},
    {"POST", "/v1/nodes", NULL, NULL, post_nodes, 0},
    {"GET", "/v1/nodes", NULL, NULL, get_nodes, LISTING_COST},
    {"GET", "/v1/nodes/", "", NULL, get_node, 1},
    {"GET", "/v1/networks/", "/nodes", NULL, get_network, LISTING_COST},
    {"GET", UPLINK_PATH, NULL, get_link, NULL, 1},
};

/* The part of the path between prefix and suffix must be one segment. */
static bool path_matches(const struct route *route, const char *path)
{
    size_t prefix = strlen(route->prefix);
    if (!route->suffix)
        return strcmp(path, route->prefix) == 0;
    return strncmp(path, route->prefix, prefix) == 0 &&
           strcmp(path + prefix + strcspn(path + prefix, "/"), route->suffix) == 0;
}

/* NULL when there is none; *allow is then what the path takes, or NULL when there is no such path. */
static const struct route *find_route(const struct request *request, const char **allow)
{
    const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
    *allow = NULL;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        if (!path_matches(&table[i], request->path))
            continue;
        if (strcmp(table[i].method, method) == 0)
            return &table[i];
        *allow = *allow ? "GET, HEAD, POST" : table[i].method[0] == 'G' ? "GET, HEAD" : "POST";
    }
    return NULL;
}

static bool within_rate(struct routes *r, const struct request *request, const struct route *route,
                        struct response *out)
{
    bool registers = route && route->ask == post_nodes;
    uint64_t wait_us = limits_take(registers ? r->registrations : r->lookups, &request->from,
                                   registers ? 1
                                   : route   ? route->cost
                                             : 1,
                                   request->now_us);
    if (wait_us == 0)
        return true;
    answer_error_later(out, 429, (unsigned)((wait_us + 999999) / 1000000),
                       "too many requests from this address");
    return false;
}

/* Returns whether the answer is whole. */
static bool dispatch(struct routes *r, struct order *o)
{
    const char *allow;
    o->route = find_route(&o->request, &allow);
    if (!within_rate(r, &o->request, o->route, &o->answer))
        return true;
    if (o->route && o->route->answer) {
        o->route->answer(&o->request, &o->answer);
    } else if (!o->route && allow) {
        o->answer.allow = allow;
        answer_error(&o->answer, 405, "this path does not take this method");
    } else if (!o->route) {
        answer_error(&o->answer, 404, "there is nothing at this path");
    }
    return !o->route || o->route->answer;
}

bool routes_answer(struct routes *r, struct order *o)
{
    o->routes = r;
    o->answer = (struct response){0};
    bool whole = dispatch(r, o);
    if (whole)
        metrics_answer(r->config.metrics, o->answer.status);
    return whole;
}

void routes_ask(struct order *o)
{
    o->route->ask(o);
}

void routes_answer_busy(struct order *o)
{
    answer_unavailable(&o->answer);
    metrics_answer(o->routes->config.metrics, o->answer.status);
}

static void refuse(struct routes *r, unsigned status, const char *why, struct response *out)
{
    *out = (struct response){0};
    answer_error(out, status, why);
    metrics_answer(r->config.metrics, out->status);
}

void routes_answer_too_large(struct routes *r, struct response *out)
{
    refuse(r, 413, "the body is larger than 32768 bytes", out);
}

void routes_answer_malformed(struct routes *r, const char *why, struct response *out)
{
    refuse(r, 400, why, out);
}
