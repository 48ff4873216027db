/* SPDX-License-Identifier: Apache-2.0 */
#include "node/command/ca_lists.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/base64.h"
#include "crypto/identity.h"
#include "node/api/api.h"
#include "node/api/api_request.h"
#include "node/command/describe.h"
#include "node/command/rosters.h"
#include "node/network/registry.h"
#include "proto/network/rolls.h"
#include <stdlib.h>
#include <string.h>

/* The list of the CA that is held; null: it has revoked nobody. */
static json_t *describe_list(const struct rolls *rolls)
{
    struct message_list lists[ROLLS_LISTS_MAX];
    unsigned count = rolls_lists(rolls, lists), i = 0;
    while (i < count && (lists[i].kind != LIST_REVOCATIONS || !rolls_is_ca(rolls, &lists[i].signer)))
        i++;
    if (i == count)
        return json_null();
    struct slice bytes = rolls_bytes(rolls, LIST_REVOCATIONS, &lists[i].signer);
    char *text = malloc(BASE64_LEN(bytes.len) + 1);
    if (!text)
        return NULL;
    base64_encode(bytes.data, bytes.len, text);
    json_t *json = json_string(text);
    free(text);
    return json;
}

void ca_lists_tell(const struct rosters *r, const json_t *request, struct api_call *call)
{
    const char *text = json_string_value(json_object_get(request, "member"));
    struct node_id id;
    if (!rosters_find(r, "ca revoke", text, &id, call))
        return;
    if (id_compare(&id, identity_id(r->me)) == 0) {
        api_fail(
            call,
            "ca revoke %s: that is this node itself, which could tell nobody: do it at another member, with "
            "-ca FILE",
            text);
        return;
    }
    const struct rolls *rolls = registry_rolls(r->registry);
    api_reply(call, json_pack("{s:o, s:b, s:o}", "id", describe_id(&id), "issuer",
                              rolls_issuer(rolls, &id) != NULL, "list", describe_list(rolls)));
}

static int decode(const json_t *request, uint8_t out[API_REQUEST_MAX], size_t *len)
{
    const char *text = json_string_value(json_object_get(request, "list"));
    return text ? base64_decode(text, strlen(text), out, API_REQUEST_MAX, len) : ERR_FORMAT;
}

void ca_lists_take(struct rosters *r, const json_t *request, struct api_call *call)
{
    const struct api_caller *by = api_call_by(call);
    uint8_t bytes[API_REQUEST_MAX];
    size_t len;
    if (!r->registry || decode(request, bytes, &len)) {
        api_fail(call, "take_revoked: %s", r->registry ? "no list" : "this node is in no network");
        return;
    }
    enum rolls_verdict verdict =
        rolls_take(registry_rolls(r->registry), LIST_REVOCATIONS, (struct slice){bytes, len});
    if (verdict != ROLLS_NEWER) {
        api_fail(call, "take_revoked: the list %s", rolls_verdict_str(verdict));
        return;
    }
    log_info("a list of revoked keys was taken: by user %lu, process %ld", (unsigned long)by->uid,
             (long)by->pid);
    registry_tick(r->registry, r->mesh, clock_monotonic_us());
    api_reply(call, json_object());
}
