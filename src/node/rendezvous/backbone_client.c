/* SPDX-License-Identifier: Apache-2.0 */
/* The node's side of the backbone's HTTP API. The backbone is believed in nothing but reachability: records
 * are verified here. docs/PROTOCOL.md §8. A thread of libuv's pool at a time. */
#include "node/rendezvous/backbone_client.h"

#include "base/clock.h"
#include "base/hex.h"
#include "crypto/base64.h"
#include "node/rendezvous/http_client.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int backbone_client_init(struct backbone_client *c, const char *url)
{
    *c = (struct backbone_client){0};
    if (snprintf(c->url, sizeof(c->url), "%s", url) >= (int)sizeof(c->url))
        return ERR_SPACE;
    return http_client_new(&c->http);
}

void backbone_client_fini(struct backbone_client *c)
{
    http_client_free(c->http);
    c->http = NULL;
}

static enum backbone_verdict fail(struct backbone_client *c, enum backbone_verdict verdict, const char *cause)
{
    snprintf(c->cause, sizeof(c->cause), "%s", cause);
    return verdict;
}

/* Sends one request. On OK *out is the answer's object, for the caller to decref; *status is always set. */
static enum backbone_verdict call(struct backbone_client *c, const char *path, const char *json, long *status,
                                  json_t **out)
{
    char url[640];
    struct http_answer answer;
    snprintf(url, sizeof(url), "%s%s", c->url, path);
    http_client_perform(c->http, url, json, &answer);
    *status = answer.status;
    if (answer.status == 0)
        return fail(c, BACKBONE_UNREACHABLE, answer.cause);
    c->udp = answer.remote;
    json_t *root = json_loadb(answer.body, answer.len, JSON_REJECT_DUPLICATES, NULL);
    if (answer.status / 100 == 2 && json_is_object(root)) {
        *out = root;
        return BACKBONE_OK;
    }
    const char *error = json_string_value(json_object_get(root, "error"));
    if (answer.status / 100 == 4 && error && error[0]) {
        snprintf(c->cause, sizeof(c->cause), "%.200s", error);
        json_t *seq = json_object_get(root, "seq");
        if (answer.status == 409 && json_is_integer(seq) && json_integer_value(seq) > 0)
            c->last_seq = (uint64_t)json_integer_value(seq);
        json_decref(root);
        return answer.status == 404 ? BACKBONE_ABSENT : BACKBONE_REFUSED;
    }
    json_decref(root);
    snprintf(c->cause, sizeof(c->cause), "HTTP status %ld is no answer of a backbone", answer.status);
    return BACKBONE_UNREACHABLE;
}

enum backbone_verdict backbone_client_info(struct backbone_client *c)
{
    long status = 0;
    json_t *info = NULL;
    enum backbone_verdict verdict = call(c, "/v1/info", NULL, &status, &info);
    if (verdict == BACKBONE_ABSENT)
        return fail(c, BACKBONE_UNREACHABLE, "there is no backbone at this URL");
    if (verdict != BACKBONE_OK)
        return verdict;
    json_int_t port = json_integer_value(json_object_get(info, "stun_port"));
    const char *instance = json_string_value(json_object_get(info, "instance"));
    if (port > 0 && port < 65536)
        c->udp.port = (uint16_t)port;
    snprintf(c->instance, sizeof(c->instance), "%s", instance ? instance : "");
    json_decref(info);
    return BACKBONE_OK;
}

static enum backbone_verdict get_challenge(struct backbone_client *c, uint8_t out[RECORD_CHALLENGE_LEN])
{
    long status = 0;
    json_t *answer = NULL;
    enum backbone_verdict verdict = call(c, "/v1/challenge", NULL, &status, &answer);
    if (verdict != BACKBONE_OK)
        return verdict == BACKBONE_ABSENT ? BACKBONE_UNREACHABLE : verdict;
    const char *text = json_string_value(json_object_get(answer, "challenge"));
    if (!text || hex_decode(text, out, RECORD_CHALLENGE_LEN))
        verdict = fail(c, BACKBONE_UNREACHABLE, "its challenge is malformed");
    json_decref(answer);
    return verdict;
}

/* Microseconds of the wall clock grow over restarts of ours; above the last one even when it was set back. */
static uint64_t next_seq(const struct backbone_client *c)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t now = (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
    return now > c->last_seq ? now : c->last_seq + 1;
}

/* The body of a registration, for the caller to free; NULL when it cannot be made. */
static char *make_body(const struct record *record, const struct identity *me)
{
    uint8_t data[RECORD_MAX], signature[IDENTITY_SIGNATURE_LEN];
    char data64[BASE64_LEN(RECORD_MAX) + 1], signature64[BASE64_LEN(IDENTITY_SIGNATURE_LEN) + 1];
    size_t len = 0;
    if (record_sign(record, me, data, sizeof(data), &len, signature) != 0)
        return NULL;
    base64_encode(data, len, data64);
    base64_encode(signature, sizeof(signature), signature64);
    json_t *body = json_pack("{s:s,s:s}", "record", data64, "signature", signature64);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

static enum backbone_verdict register_once(struct backbone_client *c, struct record *record,
                                           const struct identity *me, long *status)
{
    enum backbone_verdict verdict = get_challenge(c, record->challenge);
    if (verdict != BACKBONE_OK)
        return verdict;
    record->seq = c->last_seq = next_seq(c);
    record->expiry_s = clock_unix_s() + BACKBONE_RECORD_LIFETIME_S;
    char *body = make_body(record, me);
    if (!body)
        return fail(c, BACKBONE_REFUSED, "our record cannot be signed");
    json_t *answer = NULL;
    verdict = call(c, "/v1/nodes", body, status, &answer);
    free(body);
    json_decref(answer);
    return verdict == BACKBONE_ABSENT ? BACKBONE_UNREACHABLE : verdict;
}

enum backbone_verdict backbone_client_register(struct backbone_client *c, struct record *record,
                                               const struct identity *me)
{
    long status = 0;
    struct addr udp = c->udp; /* as info told it */
    record->id = *identity_id(me);
    memcpy(record->spki, identity_spki(me), sizeof(record->spki));
    enum backbone_verdict verdict = register_once(c, record, me, &status);
    if (verdict == BACKBONE_REFUSED && status == 409) /* last_seq is the stored one now */
        verdict = register_once(c, record, me, &status);
    if (verdict == BACKBONE_OK)
        memcpy(c->registered, c->instance, sizeof(c->registered));
    c->udp = udp;
    return verdict;
}

/* Decodes base64 of at most cap bytes. */
static bool decode_value(const json_t *value, uint8_t *out, size_t cap, size_t *len)
{
    const char *text = json_string_value(value);
    return text && base64_decode(text, json_string_length(value), out, cap, len) == 0;
}

static enum backbone_verdict read_record(struct backbone_client *c, const json_t *answer,
                                         const struct node_id *id, struct record *out)
{
    uint8_t data[RECORD_MAX], signature[IDENTITY_SIGNATURE_LEN];
    size_t len = 0, signature_len = 0;
    if (!decode_value(json_object_get(answer, "record"), data, sizeof(data), &len) ||
        !decode_value(json_object_get(answer, "signature"), signature, sizeof(signature), &signature_len))
        return fail(c, BACKBONE_FORGED, "it is malformed");
    int err = record_verify(data, len, signature, signature_len, out);
    if (err == ERR_MISMATCH || (!err && id_compare(&out->id, id) != 0))
        return fail(c, BACKBONE_FORGED, "its key is not that node's");
    if (err)
        return fail(c, BACKBONE_FORGED,
                    err == ERR_CRYPTO ? "its signature does not verify" : "the record is malformed");
    if (out->expiry_s + BACKBONE_CLOCK_SKEW_S < clock_unix_s())
        return fail(c, BACKBONE_ABSENT, "it expired long ago");
    return BACKBONE_OK;
}

enum backbone_verdict backbone_client_lookup(struct backbone_client *c, const struct node_id *id,
                                             struct record *out)
{
    char path[64], hex[ID_TEXT_MAX];
    long status = 0;
    json_t *answer = NULL;
    struct addr udp = c->udp;
    snprintf(path, sizeof(path), "/v1/nodes/%s", id_format(id, hex));
    enum backbone_verdict verdict = call(c, path, NULL, &status, &answer);
    if (verdict == BACKBONE_OK)
        verdict = read_record(c, answer, id, out);
    json_decref(answer);
    c->udp = udp;
    return verdict;
}
