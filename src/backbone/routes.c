/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatch, rates, and the JSON of every answer. */

#include "backbone/routes.h"

#include "backbone/challenge.h"
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
    struct directory *directory;
    struct metrics *metrics;
    struct limits *lookups, *registrations;
    uint16_t stun_port;
    struct bucket log_bucket;
    uint64_t log_withheld;
    char instance[INSTANCE_LEN * 2 + 1]; /* random: nodes notice a restart by it */
};

int routes_new(struct directory *directory, struct metrics *metrics, uint16_t stun_port, struct routes **out)
{
    struct routes *r = calloc(1, sizeof(*r));
    if (!r)
        return ERR_NOMEM;
    *r = (struct routes){.directory = directory, .metrics = metrics, .stun_port = stun_port};
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

static void get_health(struct routes *r, const struct request *request, struct response *out)
{
    (void)r, (void)request;
    answer_json(out, 200, json_pack("{ss}", "status", "ok"));
}

static void get_info(struct routes *r, const struct request *request, struct response *out)
{
    uint64_t nodes;
    if (directory_count(r->directory, request->now_s, &nodes) != 0) {
        answer_unavailable(out);
        return;
    }
    answer_json(out, 200,
                json_pack("{sssssisssisI}", "name", "shadowmesh-backbone", "version", SHADOWMESH_VERSION,
                          "api", 1, "instance", r->instance, "stun_port", (int)r->stun_port, "nodes",
                          (json_int_t)nodes));
}

static void get_metrics(struct routes *r, const struct request *request, struct response *out)
{
    uint64_t nodes;
    if (directory_count(r->directory, request->now_s, &nodes) != 0) {
        answer_unavailable(out);
        return;
    }
    out->body = metrics_format(r->metrics, nodes, &out->len);
    out->status = out->body ? 200 : 500;
    out->type = METRICS_TYPE;
}

static void get_challenge(struct routes *r, const struct request *request, struct response *out)
{
    uint8_t challenge[RECORD_CHALLENGE_LEN];
    char hex[2 * sizeof(challenge) + 1];
    if (directory_challenge(r->directory, request->now_s, challenge) != 0) {
        answer_error(out, 500, "the server cannot make a challenge");
        return;
    }
    hex_encode(challenge, sizeof(challenge), hex);
    answer_json(out, 200, json_pack("{sssi}", "challenge", hex, "expires_s", CHALLENGE_LIFETIME_S));
}

static bool store_signed_record(void *context, const struct store_entry *e)
{
    *(json_t **)context = listing_signed_record(e);
    return false;
}

static void get_node(struct routes *r, const struct request *request, struct response *out)
{
    struct node_id id;
    if (id_parse(request->path + strlen("/v1/nodes/"), &id) != 0) {
        answer_error(out, 400, "a node's id is 40 hex digits");
        return;
    }
    json_t *found = NULL;
    int err = directory_find(r->directory, request->now_s, &id, store_signed_record, &found);
    if (err == ERR_NOT_FOUND) {
        answer_error(out, 404, "no node with this id is registered now");
    } else if (err) {
        json_decref(found);
        answer_unavailable(out);
    } else {
        metrics_add(&r->metrics->lookups);
        answer_json(out, 200, found);
    }
}

static void get_nodes(struct routes *r, const struct request *request, struct response *out)
{
    listing_answer(r->directory, NULL, request, out);
}

static void get_network(struct routes *r, const struct request *request, struct response *out)
{
    char network[RECORD_NETWORK_MAX + 1];
    const char *begin = request->path + strlen("/v1/networks/");
    size_t len = strcspn(begin, "/");
    if (len == 0 || len >= sizeof(network)) {
        answer_error(out, 400, "a network's id is 1 to 40 characters");
        return;
    }
    memcpy(network, begin, len);
    network[len] = '\0';
    listing_answer(r->directory, network, request, out);
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

static void get_link(struct routes *r, const struct request *request, struct response *out)
{
    const char *why = request->body.len || strcmp(request->method, "GET") != 0
                          ? "a request for a WebSocket is a GET without a body"
                          : upgrade_check(&request->upgrade, out->accept);
    (void)r;
    out->status = 101;
    if (!why)
        return;
    out->upgrade = true;
    answer_error(out, 426, why);
}

static void post_nodes(struct routes *r, const struct request *request, struct response *out)
{
    struct registration registration;
    const char *why;
    if (registration_decode((const char *)request->body.data, request->body.len, &registration, &why) != 0) {
        answer_error(out, 400, why);
        return;
    }
    struct slice record = {registration.record, registration.record_len};
    struct slice signature = {registration.signature, sizeof(registration.signature)};
    struct directory_receipt receipt;
    enum directory_verdict verdict =
        directory_register(r->directory, request->now_s, &record, &signature, &receipt);
    if (verdict == DIRECTORY_REGISTERED) {
        metrics_add(&r->metrics->registrations);
        log_registration(r, request, &receipt.id);
    }
    answer_verdict(verdict, request, &receipt, out);
}

static const struct route {
    const char *method, *prefix, *suffix; /* suffix NULL: the prefix is the whole path */
    void (*answer)(struct routes *r, const struct request *request, struct response *out);
    unsigned cost; /* look-ups that it counts as; a registration has a budget of its own */
} table[] = {
    {"GET", "/health", NULL, get_health, 0},    {"GET", "/metrics", NULL, get_metrics, 1},
    {"GET", "/v1/info", NULL, get_info, 1},     {"GET", "/v1/challenge", NULL, get_challenge, 1},
    {"POST", "/v1/nodes", NULL, post_nodes, 0}, {"GET", "/v1/nodes", NULL, get_nodes, LISTING_COST},
    {"GET", "/v1/nodes/", "", get_node, 1},     {"GET", "/v1/networks/", "/nodes", get_network, LISTING_COST},
    {"GET", UPLINK_PATH, NULL, get_link, 1},
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
    bool registers = route && route->answer == post_nodes;
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

void routes_answer(struct routes *r, const struct request *request, struct response *out)
{
    const char *allow;
    const struct route *route = find_route(request, &allow);
    *out = (struct response){0};
    if (!within_rate(r, request, route, out)) {
        metrics_answer(r->metrics, out->status);
        return;
    }
    if (route) {
        route->answer(r, request, out);
    } else if (allow) {
        out->allow = allow;
        answer_error(out, 405, "this path does not take this method");
    } else {
        answer_error(out, 404, "there is nothing at this path");
    }
    metrics_answer(r->metrics, out->status);
}

static void refuse(struct routes *r, unsigned status, const char *why, struct response *out)
{
    *out = (struct response){0};
    answer_error(out, status, why);
    metrics_answer(r->metrics, out->status);
}

void routes_answer_too_large(struct routes *r, struct response *out)
{
    refuse(r, 413, "the body is larger than 32768 bytes", out);
}

void routes_answer_malformed(struct routes *r, const char *why, struct response *out)
{
    refuse(r, 400, why, out);
}
