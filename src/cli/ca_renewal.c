/* SPDX-License-Identifier: Apache-2.0 */
/* What the node says of an issuer is believed for the CA's own signature alone: nobody becomes one so. */
#include "cli/ca_renewal.h"

#include "cli/authority.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/network_call.h"
#include "cli/nodes.h"
#include "crypto/base64.h"
#include "crypto/cert_chain.h"
#include "crypto/founding.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RENEW    "ca renew"
#define DATE_MAX 16

/* An issuer as the node told of it. */
struct held {
    struct cert cert;
    const char *name, *id;
};

static bool read_held(const struct authority *a, const json_t *told, uint64_t now, struct held *out)
{
    const char *text = nodes_text(told, "certificate");
    uint8_t der[CERT_MAX];
    size_t len;
    out->name = nodes_text(told, "name");
    out->id = nodes_text(told, "id");
    if (base64_decode(text, strlen(text), der, sizeof(der), &len))
        return false;
    enum cert_verdict verdict = cert_chain_issuer(&a->cert, (struct slice){der, len}, now, &out->cert);
    return verdict == CERT_OK || verdict >= CERT_NOT_YET;
}

/* ---- whose turn it is ---- */

static bool is_named(const struct cli_options *o, const struct held *h)
{
    for (unsigned i = 1; i < o->word_count; i++)
        if (strcmp(o->words[i], h->id) == 0 || (h->name[0] && strcmp(o->words[i], h->name) == 0))
            return true;
    return false;
}

static bool is_due(const struct cli_options *o, const struct held *h, uint64_t now)
{
    const struct cert *c = &h->cert;
    return o->word_count > 1 ? is_named(o, h) : now >= c->not_before + (c->not_after - c->not_before) / 2;
}

/* ---- a new certificate ---- */

static char *date(uint64_t seconds, char out[DATE_MAX])
{
    struct tm tm;
    time_t at = (time_t)seconds;
    if (!gmtime_r(&at, &tm) || !strftime(out, DATE_MAX, "%Y-%m-%d", &tm))
        snprintf(out, DATE_MAX, "?");
    return out;
}

static void print(const struct held *h, const struct cert *c, const char *what)
{
    char text[DATE_MAX];
    char *name = format_clean(h->name[0] ? h->name : h->id);
    printf("%s %s %s\n", name, what, date(c->not_after, text));
    free(name);
}

static json_t *request(const struct founding_cert *c)
{
    char text[BASE64_LEN(CERT_MAX) + 1];
    base64_encode(c->der, c->len, text);
    return json_pack("{s:s, s:s}", "cmd", "take_issuer", "certificate", text);
}

static bool renew(const struct cli_options *options, const struct authority *a, const struct held *h,
                  uint64_t now)
{
    const struct founding f = {.network = a->cert.network, .now = now, .random = &secret_source};
    struct founding_cert made;
    json_t *taken = NULL;
    int err = founding_issuer_again(&f, a->key, &h->cert, &made);
    if (err)
        cli_complain(RENEW ": %s", err_str(err));
    bool ok = !err && network_call(options, RENEW, request(&made), &taken) == CLI_OK;
    json_decref(taken);
    if (ok)
        print(h, &made.cert, "is an issuer until");
    return ok;
}

/* ---- all of them ---- */

static bool renew_all(const struct cli_options *options, const struct authority *a, const json_t *issuers,
                      bool tell)
{
    uint64_t now = (uint64_t)time(NULL);
    unsigned due = 0;
    size_t i;
    json_t *told;
    json_array_foreach(issuers, i, told)
    {
        struct held h;
        if (!read_held(a, told, now, &h)) {
            cli_complain(RENEW ": the node tells of an issuer that this CA has not certified");
            return false;
        }
        if (is_due(options, &h, now)) {
            if (!renew(options, a, &h, now))
                return false;
            due++;
        } else if (options->word_count == 1 && tell && !options->quiet) {
            print(&h, &h.cert, "is not due: it is an issuer until");
        }
    }
    if (due || options->word_count == 1)
        return true;
    cli_complain(RENEW ": no issuer has that name: `shadowmesh members` lists who is there");
    return false;
}

bool ca_renewal(const struct cli_options *options, const struct authority *a, bool tell)
{
    json_t *told = NULL;
    bool ok = network_call(options, RENEW, json_pack("{s:s}", "cmd", "issuers"), &told) == CLI_OK &&
              renew_all(options, a, json_object_get(told, "issuers"), tell);
    json_decref(told);
    return ok;
}
