/* SPDX-License-Identifier: Apache-2.0 */
/* What the node says that the list was is believed for the CA's own signature alone. */
#include "cli/ca_list.h"

#include "cli/authority.h"
#include "cli/cli.h"
#include "cli/network_call.h"
#include "cli/nodes.h"
#include "crypto/base64.h"
#include "crypto/revocations.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define REVOKE   "ca revoke"
#define LIST_MAX REVOCATIONS_LEN(CA_LIST_MAX)

/* The list that members hold; nobody has one of a CA that has revoked nobody. */
static bool read_held(const struct authority *a, const json_t *told, uint8_t bytes[LIST_MAX],
                      struct revocations *out)
{
    const char *text = nodes_text(told, "list");
    size_t len = 0;
    *out = (struct revocations){.network = a->cert.id, .signer = a->cert.id};
    if (!text[0])
        return true;
    if (base64_decode(text, strlen(text), bytes, LIST_MAX, &len) == 0 &&
        revocations_judge(&a->cert, &a->cert.id, NULL, bytes, len, out) == REVOCATIONS_NEWER)
        return true;
    cli_complain(REVOKE ": the CA's list of revoked keys, as the node has it, does not hold");
    return false;
}

/* The list's ids and one more, in order. False when it is there already. */
static bool insert(const struct revocations *list, const struct node_id *id, struct node_id *out)
{
    size_t at = 0;
    while (at < list->count && id_compare(&list->ids[at], id) < 0)
        at++;
    if (at < list->count && id_compare(&list->ids[at], id) == 0)
        return false;
    if (at)
        memcpy(out, list->ids, at * sizeof(*out));
    out[at] = *id;
    if (at < list->count)
        memcpy(&out[at + 1], &list->ids[at], (list->count - at) * sizeof(*out));
    return true;
}

static bool sign(const struct authority *a, const struct revocations *held, const struct node_id *id,
                 uint8_t out[LIST_MAX], size_t *len)
{
    struct node_id ids[CA_LIST_MAX];
    struct revocations next = *held;
    const char *wrong = held->count == CA_LIST_MAX ? "the CA's list is full" : NULL;
    if (!wrong && !insert(held, id, ids))
        wrong = "the CA has revoked it already";
    next.ids = ids;
    next.count++;
    next.number++;
    next.time = (uint64_t)time(NULL);
    *len = REVOCATIONS_LEN(next.count);
    int err = wrong ? 0 : revocations_sign(&next, a->key, out, LIST_MAX);
    if (wrong || err)
        cli_complain(REVOKE ": %s", wrong ? wrong : err_str(err));
    return !wrong && !err;
}

static json_t *request(const uint8_t *bytes, size_t len)
{
    char text[BASE64_LEN(LIST_MAX) + 1];
    base64_encode(bytes, len, text);
    return json_pack("{s:s, s:s}", "cmd", "take_revoked", "list", text);
}

static bool revoke(const struct cli_options *options, const struct authority *a, const json_t *told)
{
    uint8_t held[LIST_MAX], next[LIST_MAX];
    struct revocations list;
    struct node_id id;
    json_t *taken = NULL;
    size_t len;
    if (id_parse(nodes_text(told, "id"), &id) != 0) {
        cli_complain(REVOKE ": the node's answer has no id");
        return false;
    }
    bool ok = read_held(a, told, held, &list) && sign(a, &list, &id, next, &len) &&
              network_call(options, REVOKE, request(next, len), &taken) == CLI_OK;
    json_decref(taken);
    return ok;
}

bool ca_list_revoke(const struct cli_options *options, const struct authority *a, const char *who)
{
    json_t *told = NULL, *ask = json_pack("{s:s, s:s}", "cmd", "revocation", "member", who);
    if (!ask) {
        cli_complain(REVOKE ": that is no name");
        return false;
    }
    bool ok = network_call(options, REVOKE, ask, &told) == CLI_OK && revoke(options, a, told);
    if (ok)
        printf("%s is revoked by the CA: its sessions end everywhere, what it signs counts no more, and its "
               "key never "
               "comes back.\n%s",
               who,
               json_is_true(json_object_get(told, "issuer"))
                   ? "Members whose certificate is of this issuer join anew, by another one's token\n"
                   : "");
    json_decref(told);
    return ok;
}
