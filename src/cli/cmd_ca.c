/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh ca: what a network's CA alone can do, and where its key is. */
#include "cli/cmd.h"

#include "cli/authority.h"
#include "cli/ca_key.h"
#include "cli/ca_list.h"
#include "cli/ca_renewal.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "crypto/identity.h"

#include <string.h>

static bool revoke_all(const struct cli_options *o, const struct place *p)
{
    struct authority a;
    bool ok = authority_open(o, "ca revoke", p, &a);
    for (unsigned i = 1; ok && i < o->word_count; i++)
        ok = ca_list_revoke(o, &a, o->words[i]);
    identity_free(a.key);
    return ok;
}

static bool export_key(const struct cli_options *o, const struct place *p)
{
    return ca_key_export(o, p, o->words[1]);
}

static bool renew(const struct cli_options *o, const struct place *p)
{
    struct authority a;
    if (o->quiet && !o->ca && !authority_is_here(p))
        return true;
    bool ok = authority_open(o, "ca renew", p, &a) && ca_renewal(o, &a, true);
    identity_free(a.key);
    return ok;
}

static const struct act {
    const char *name;
    unsigned least, most; /* words behind it */
    const char *usage;
    bool (*run)(const struct cli_options *o, const struct place *p);
} acts[] = {
    {"export", 2, 2, "export NAME FILE", export_key},
    {"remove", 1, 1, "remove NAME", ca_key_remove},
    {"renew", 1, ~0u, "renew NAME [ISSUER...]", renew},
    {"revoke", 2, ~0u, "revoke NAME MEMBER...", revoke_all},
};
#define ACTS (sizeof(acts) / sizeof(acts[0]))

static const struct act *find(const struct cli_options *options)
{
    for (size_t i = 0; i < ACTS; i++) {
        if (strcmp(acts[i].name, options->words[0]) != 0)
            continue;
        if (options->word_count - 1 >= acts[i].least && options->word_count - 1 <= acts[i].most)
            return &acts[i];
        cli_complain("it is: shadowmesh ca %s", acts[i].usage);
        return NULL;
    }
    cli_complain("ca %s: it is export, remove, renew or revoke: `shadowmesh ca -help` shows the usage",
                 options->words[0]);
    return NULL;
}

int cmd_ca(const struct cli_options *options)
{
    struct cli_options rest = *options;
    const struct act *act = find(options);
    struct place p;
    if (!act)
        return CLI_USAGE;
    rest.words++;
    rest.word_count--;
    const char *wrong = place_init(&rest, rest.words[0], &p);
    if (wrong) {
        cli_complain("ca %s %s: %s", act->name, rest.words[0], wrong);
        return CLI_USAGE;
    }
    return act->run(&rest, &p) ? CLI_OK : CLI_FAILURE;
}
