/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh log: who joined a network, was renewed, revoked or made an issuer; when, and by whom. Its issuers know. */
#include "cli/cmd.h"

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/network_call.h"
#include "cli/nodes.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *format_time(double seconds, char out[FORMAT_MAX])
{
    time_t at = (time_t)seconds;
    struct tm tm;
    if (!localtime_r(&at, &tm) || !strftime(out, FORMAT_MAX, "%F %T", &tm))
        return "?";
    return out;
}

/* The signer, and who asked it; for the caller to free. */
static char *by_of(const json_t *entry)
{
    const char *signer = nodes_text(entry, "signer"), *by = nodes_text(entry, "by");
    char *text = NULL;
    if (asprintf(&text, "%s%s%s", signer[0] ? signer : nodes_text(entry, "signer_id"), by[0] ? ", " : "",
                 by) < 0)
        abort();
    return text;
}

static void add_entry(const struct cli_options *options, struct table *t, const json_t *entry)
{
    char when[FORMAT_MAX], id[ID_TEXT_MAX];
    const char *name = nodes_text(entry, "name");
    char *by = by_of(entry);
    table_add(t, (const char *const[]){format_time(nodes_number(entry, "time"), when),
                                       nodes_text(entry, "change"), name[0] ? name : "-",
                                       nodes_id(options, nodes_text(entry, "id"), id), by});
    free(by);
}

static void print_log(const struct cli_options *options, const json_t *entries)
{
    static const char *const heading[] = {"WHEN", "WHAT", "MEMBER", "ID", "BY"};
    struct table *t = table_new("lllll");
    size_t index;
    json_t *entry;
    table_add(t, heading);
    json_array_foreach(entries, index, entry) add_entry(options, t, entry);
    table_print(t, stdout, &(struct table_style){0, options->width, true, options->colour});
    table_free(t);
}

int cmd_log(const struct cli_options *options)
{
    json_t *result = NULL, *entries;
    enum cli_exit verdict = network_call(options, "log", json_pack("{s:s}", "cmd", "log"), &result);
    if (verdict != CLI_OK)
        return verdict;
    entries = json_object_get(result, "entries");
    if (options->json)
        nodes_print_json(json_incref(entries));
    else
        print_log(options, entries);
    json_decref(result);
    return CLI_OK;
}
