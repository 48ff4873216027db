/* SPDX-License-Identifier: Apache-2.0 */
#include "node/command/promotions.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/base64.h"
#include "crypto/cert.h"
#include "node/api/api.h"
#include "node/command/describe.h"
#include "node/command/rosters.h"
#include "node/network/change_log.h"
#include "node/network/registry.h"
#include "proto/mesh/mesh.h"
#include "proto/network/rolls.h"
#include <stdio.h>
#include <string.h>

static json_t *base64_json(struct slice bytes)
{
    char text[BASE64_LEN(CERT_MAX) + 1] = "";
    if (bytes.len <= CERT_MAX)
        base64_encode(bytes.data, bytes.len, text);
    return json_string(text);
}

/* Whose slices are given. */
static json_t *describe_issuers(const struct rolls *rolls)
{
    struct message_list lists[ROLLS_LISTS_MAX];
    unsigned count = rolls_lists(rolls, lists);
    json_t *array = json_array();
    for (unsigned i = 0; i < count; i++)
        if (lists[i].kind == LIST_ISSUER)
            json_array_append_new(array, base64_json(rolls_bytes(rolls, LIST_ISSUER, &lists[i].signer)));
    return array;
}

/* The key that a member proved; NULL: it was not here. */
static const uint8_t *key_of(const struct rosters *r, const struct node_id *id)
{
    struct mesh_peer peer;
    if (id_compare(id, identity_id(r->me)) == 0)
        return identity_spki(r->me);
    return mesh_view_peer(r->mesh, id, &peer) && peer.certificate ? peer.certificate->spki : NULL;
}

void promotions_tell(const struct rosters *r, const json_t *request, struct api_call *call)
{
    const char *text = json_string_value(json_object_get(request, "member"));
    struct node_id id;
    if (!rosters_find(r, "promote", text, &id, call))
        return;
    const uint8_t *spki = key_of(r, &id);
    if (!spki) {
        api_fail(call, "promote %s: it has not been connected to this node: its key is not known here", text);
        return;
    }
    api_reply(call, json_pack("{s:o, s:o, s:o}", "id", describe_id(&id), "key",
                              base64_json((struct slice){spki, IDENTITY_SPKI_LEN}), "issuers",
                              describe_issuers(registry_rolls(r->registry))));
}

static json_t *describe_issuer(const struct rolls *rolls, const struct node_id *id)
{
    const struct rolls_member *m = rolls_find(rolls, id);
    return json_pack("{s:s, s:o, s:o}", "name", m ? m->is.name : "", "id", describe_id(id), "certificate",
                     base64_json(rolls_bytes(rolls, LIST_ISSUER, id)));
}

void promotions_list(const struct rosters *r, struct api_call *call)
{
    struct message_list lists[ROLLS_LISTS_MAX];
    json_t *array = json_array();
    if (!r->registry) {
        json_decref(array);
        api_fail(call, "issuers: this node is in no network");
        return;
    }
    const struct rolls *rolls = registry_rolls(r->registry);
    unsigned count = rolls_lists(rolls, lists);
    for (unsigned i = 0; i < count; i++)
        if (lists[i].kind == LIST_ISSUER && rolls_issuer(rolls, &lists[i].signer))
            json_array_append_new(array, describe_issuer(rolls, &lists[i].signer));
    api_reply(call, json_pack("{s:o}", "issuers", array));
}

/* The CA signed it; who brought it stands beside. */
static void note_promoted(const struct rosters *r, struct slice der, const struct api_caller *by)
{
    struct cert c;
    char who[CHANGES_BY_MAX];
    const struct rolls_member *m;
    if (cert_decode(der.data, der.len, &c))
        return;
    m = rolls_find(registry_rolls(r->registry), &c.id);
    snprintf(who, sizeof(who), "the CA's key, user %lu, process %ld", (unsigned long)by->uid, (long)by->pid);
    change_log_note(r->changes, CHANGE_PROMOTED, &c.id, m ? m->is.name : "", c.not_after, who,
                    registry_now(r->registry, clock_monotonic_us()));
}

void promotions_take(struct rosters *r, const json_t *request, struct api_call *call)
{
    const char *text = json_string_value(json_object_get(request, "certificate"));
    const struct api_caller *by = api_call_by(call);
    uint8_t der[CERT_MAX];
    size_t len;
    if (!r->registry || !text || base64_decode(text, strlen(text), der, sizeof(der), &len)) {
        api_fail(call, "take_issuer: %s", r->registry ? "no certificate" : "this node is in no network");
        return;
    }
    enum rolls_verdict verdict =
        rolls_take(registry_rolls(r->registry), LIST_ISSUER, (struct slice){der, len});
    if (verdict != ROLLS_NEWER) {
        api_fail(call, "take_issuer: the certificate %s", rolls_verdict_str(verdict));
        return;
    }
    log_info("a certificate of an issuer was taken: by user %lu, process %ld", (unsigned long)by->uid,
             (long)by->pid);
    note_promoted(r, (struct slice){der, len}, by);
    registry_tick(r->registry, r->mesh, clock_monotonic_us());
    api_reply(call, json_object());
}
