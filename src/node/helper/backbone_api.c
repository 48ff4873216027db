/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to messages and back. Nothing is verified here: who asks does that. */
#include "node/helper/backbone_api.h"

#include "base/hex.h"
#include "crypto/base64.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(HELPER_TEXT_MAX >= HTTP_CAUSE_MAX, "a cause fits");

/* ---- requests ---- */

static int make_registration(const struct helper_message *ask, char **out)
{
    char data64[BASE64_LEN(RECORD_MAX) + 1], signature64[BASE64_LEN(IDENTITY_SIGNATURE_LEN) + 1];
    if (ask->data.len > RECORD_MAX || ask->signature.len > IDENTITY_SIGNATURE_LEN)
        return ERR_FORMAT;
    base64_encode(ask->data.data, ask->data.len, data64);
    base64_encode(ask->signature.data, ask->signature.len, signature64);
    json_t *body = json_pack("{s:s,s:s}", "record", data64, "signature", signature64);
    *out = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return *out ? 0 : ERR_NOMEM;
}

int backbone_api_request(const struct helper_message *ask, struct backbone_request *out)
{
    char hex[2 * ID_LEN + 1];
    *out = (struct backbone_request){.path = "/v1/info"};
    if (ask->kind == HELPER_ASK_CHALLENGE)
        strcpy(out->path, "/v1/challenge");
    if (ask->kind == HELPER_ASK_RECORD && ask->data.len != ID_LEN)
        return ERR_FORMAT;
    if (ask->kind == HELPER_ASK_RECORD)
        snprintf(out->path, sizeof(out->path), "/v1/nodes/%s", hex_encode(ask->data.data, ID_LEN, hex));
    if (ask->kind != HELPER_ASK_REGISTER)
        return 0;
    strcpy(out->path, "/v1/nodes");
    return make_registration(ask, &out->json);
}

/* ---- answers ---- */

static void fail(struct helper_message *out, enum backbone_verdict verdict, const char *cause)
{
    out->verdict = verdict;
    helper_message_set_text(out, cause);
}

/* What a status between 400 and 499 says, in a backbone's own words. */
static void read_refusal(const struct http_answer *answer, const json_t *root, const char *error,
                         struct helper_message *out)
{
    char cut[201];
    const json_t *seq = json_object_get(root, "seq");
    snprintf(cut, sizeof(cut), "%s", error);
    fail(out, answer->status == 404 ? BACKBONE_ABSENT : BACKBONE_REFUSED, cut);
    if (answer->status == 409 && json_is_integer(seq) && json_integer_value(seq) > 0)
        out->number = (uint64_t)json_integer_value(seq);
}

static void read_failure(const struct http_answer *answer, const json_t *root, struct helper_message *out)
{
    char cause[64];
    const char *error = json_string_value(json_object_get(root, "error"));
    if (answer->status / 100 == 4 && error && error[0]) {
        read_refusal(answer, root, error, out);
        return;
    }
    snprintf(cause, sizeof(cause), "HTTP status %ld is no answer of a backbone", answer->status);
    fail(out, BACKBONE_UNREACHABLE, cause);
}

/* A line each. What no line can be is left out. */
static struct slice list_instances(const json_t *list, struct backbone_bytes *bytes)
{
    struct writer w = writer_init(bytes->data, BACKBONE_LIST_MAX);
    for (size_t i = 0; i < json_array_size(list) && i < BACKBONE_INSTANCES_MAX; i++) {
        const char *url = json_string_value(json_array_get(list, i));
        size_t len = url ? strlen(url) : 0;
        if (len == 0 || len >= HELPER_TEXT_MAX || strchr(url, '\n') ||
            writer_len(&w) + len >= BACKBONE_LIST_MAX)
            continue;
        writer_put(&w, (const uint8_t *)url, len);
        writer_u8(&w, '\n');
    }
    return (struct slice){bytes->data, writer_len(&w)};
}

static void read_info(const struct http_answer *answer, const json_t *root, struct helper_message *out,
                      struct backbone_bytes *bytes)
{
    const char *instance = json_string_value(json_object_get(root, "instance"));
    json_int_t port = json_integer_value(json_object_get(root, "stun_port"));
    out->addresses[0] = answer->remote;
    out->address_count = answer->remote.family != 0;
    if (port > 0 && port < 65536)
        out->addresses[0].port = (uint16_t)port;
    helper_message_set_text(out, instance ? instance : "");
    out->data = list_instances(json_object_get(root, "backbones"), bytes);
}

static void read_challenge(const json_t *root, struct helper_message *out, struct backbone_bytes *bytes)
{
    const char *text = json_string_value(json_object_get(root, "challenge"));
    if (!text || hex_decode(text, bytes->data, RECORD_CHALLENGE_LEN))
        fail(out, BACKBONE_UNREACHABLE, "its challenge is malformed");
    else
        out->data = (struct slice){bytes->data, RECORD_CHALLENGE_LEN};
}

static bool decode_value(const json_t *value, uint8_t *out, size_t cap, struct slice *slice)
{
    size_t len = 0;
    const char *text = json_string_value(value);
    if (!text || base64_decode(text, json_string_length(value), out, cap, &len) != 0)
        return false;
    *slice = (struct slice){out, len};
    return true;
}

static void read_record(const json_t *root, struct helper_message *out, struct backbone_bytes *bytes)
{
    const char *linked = json_string_value(json_object_get(root, "linked"));
    helper_message_set_text(out, linked && strlen(linked) < HELPER_TEXT_MAX ? linked : "");
    if (!decode_value(json_object_get(root, "record"), bytes->data, sizeof(bytes->data), &out->data) ||
        !decode_value(json_object_get(root, "signature"), bytes->signature, sizeof(bytes->signature),
                      &out->signature))
        fail(out, BACKBONE_FORGED, "it is malformed");
}

static void read_success(enum helper_kind asked, const struct http_answer *answer, const json_t *root,
                         struct helper_message *out, struct backbone_bytes *bytes)
{
    if (asked == HELPER_ASK_INFO)
        read_info(answer, root, out, bytes);
    if (asked == HELPER_ASK_CHALLENGE)
        read_challenge(root, out, bytes);
    if (asked == HELPER_ASK_RECORD)
        read_record(root, out, bytes);
}

void backbone_api_answer(enum helper_kind asked, const struct http_answer *answer, struct helper_message *out,
                         struct backbone_bytes *bytes)
{
    *out = (struct helper_message){.kind = HELPER_BACKBONE, .date_s = answer->date_s};
    if (answer->status == 0) {
        fail(out, BACKBONE_UNREACHABLE, answer->cause);
        return;
    }
    json_t *root = json_loadb(answer->body, answer->len, JSON_REJECT_DUPLICATES, NULL);
    if (answer->status / 100 == 2 && json_is_object(root))
        read_success(asked, answer, root, out, bytes);
    else
        read_failure(answer, root, out);
    json_decref(root);
    if (out->verdict == BACKBONE_ABSENT && asked == HELPER_ASK_INFO)
        helper_message_set_text(out, "there is no backbone at this URL");
    if (out->verdict == BACKBONE_ABSENT && asked != HELPER_ASK_RECORD)
        out->verdict = BACKBONE_UNREACHABLE;
}
