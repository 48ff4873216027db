/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh promote: the network's CA makes members issuers. The nodes have none of its key: this verb signs, and gives the
 * certificates to the node here, which spreads them. */
#include "cli/cmd.h"

#include "cli/authority.h"
#include "cli/cli.h"
#include "cli/network_call.h"
#include "cli/place.h"
#include "crypto/base64.h"
#include "crypto/founding.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool decode(const json_t *text, uint8_t *out, size_t cap, size_t *len)
{
    const char *value = json_string_value(text);
    return value && base64_decode(value, strlen(value), out, cap, len) == 0;
}

/* Whether an issuer has a slice; *own: it is the one that is promoted. */
static bool has_slice(const json_t *text, const struct addr_prefix *slice, const struct node_id *id,
                      bool *own)
{
    uint8_t der[CERT_MAX];
    struct cert c;
    size_t len;
    if (!decode(text, der, sizeof(der), &len) || cert_decode(der, len, &c))
        return false;
    *own = id_compare(&c.id, id) == 0;
    for (unsigned i = 0; i < c.slice_count; i++)
        if (addr_prefix_overlap(&c.slices[i], slice))
            return true;
    return false;
}

/* The slice that it has already, or else the first that nobody has. -1: there is none. */
static int choose_number(const struct authority *a, const json_t *issuers, const struct node_id *id)
{
    int free_one = -1;
    for (int number = FOUNDING_SLICES - 1; number >= 0; number--) {
        struct addr_prefix slice;
        bool taken = false, own = false;
        size_t i;
        json_t *text;
        if (founding_slice(&a->cert.ranges[0], (unsigned)number, &slice))
            continue;
        json_array_foreach(issuers, i, text)
        {
            bool same;
            if (!has_slice(text, &slice, id, &same))
                continue;
            taken = true;
            own |= same;
        }
        if (own)
            return number;
        free_one = taken ? free_one : number;
    }
    return free_one;
}

static bool sign(const struct authority *a, const json_t *told, struct founding_cert *out)
{
    struct founding f = {.network = a->cert.network,
                         .range_count = a->cert.range_count,
                         .now = (uint64_t)time(NULL),
                         .random = &secret_source};
    uint8_t spki[IDENTITY_SPKI_LEN];
    struct node_id id;
    size_t len = 0;
    memcpy(f.ranges, a->cert.ranges, sizeof(f.ranges));
    if (!decode(json_object_get(told, "key"), spki, sizeof(spki), &len) || len != sizeof(spki) ||
        identity_id_of_spki(spki, len, &id)) {
        cli_complain("promote: the node's answer has no key");
        return false;
    }
    int number = choose_number(a, json_object_get(told, "issuers"), &id);
    int err = number < 0 ? ERR_SPACE : founding_issuer(&f, a->key, spki, (unsigned)number, out);
    if (err == ERR_SPACE)
        cli_complain("promote: the network has as many issuers as its addresses have room for");
    else if (err)
        cli_complain("promote: %s", err_str(err));
    return !err;
}

static json_t *certificate_request(const struct founding_cert *c)
{
    char text[BASE64_LEN(CERT_MAX) + 1];
    base64_encode(c->der, c->len, text);
    return json_pack("{s:s, s:s}", "cmd", "take_issuer", "certificate", text);
}

static enum cli_exit promote(const struct cli_options *options, const struct authority *a, const char *member)
{
    struct founding_cert made;
    json_t *told = NULL, *taken = NULL;
    char text[ADDR_TEXT_MAX];
    enum cli_exit verdict = network_call(
        options, "promote", json_pack("{s:s, s:s}", "cmd", "promotion", "member", member), &told);
    if (verdict == CLI_OK && !sign(a, told, &made))
        verdict = CLI_FAILURE;
    if (verdict == CLI_OK)
        verdict = network_call(options, "promote", certificate_request(&made), &taken);
    if (verdict == CLI_OK)
        printf(
            "%s is an issuer, and gives addresses of %s: `shadowmesh invite %s` lets others in there, too\n",
            member, addr_prefix_format(&made.cert.slices[0], text), options->words[0]);
    json_decref(told);
    json_decref(taken);
    return verdict;
}

int cmd_promote(const struct cli_options *options)
{
    struct authority a;
    struct place p;
    const char *wrong = place_init(options, options->words[0], &p);
    enum cli_exit verdict = CLI_OK;
    if (wrong || options->word_count < 2) {
        cli_complain("promote %s: %s", options->words[0],
                     wrong ? wrong : "whom? `shadowmesh members` lists who is there");
        return CLI_USAGE;
    }
    if (!authority_open(options, "promote", &p, &a))
        return CLI_FAILURE;
    for (unsigned i = 1; i < options->word_count && verdict == CLI_OK; i++)
        verdict = promote(options, &a, options->words[i]);
    identity_free(a.key);
    return verdict;
}
