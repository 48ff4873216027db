/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/network_text.h"

#include "cli/format.h"
#include "cli/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Why it is no member, or none any more. */
static void print_lack(FILE *out, const json_t *network, const char *state)
{
    char *text = format_clean(nodes_text(network, "text")), *step = format_clean(nodes_text(network, "step"));
    fprintf(out, ", %s", state);
    if (text[0])
        fprintf(out, ": %s", text);
    else if (strcmp(state, "joining") == 0)
        fprintf(out, ": %s",
                strcmp(step, "searching") == 0 ? "looks for an issuer" : "an issuer judges its token");
    free(text);
    free(step);
}

static void print_member(FILE *out, const json_t *network)
{
    time_t end = (time_t)nodes_number(network, "not_after");
    char day[32] = "?";
    struct tm tm;
    if (gmtime_r(&end, &tm))
        strftime(day, sizeof(day), "%F", &tm);
    fprintf(out, ", member until %s%s", day,
            json_is_true(json_object_get(network, "issuer")) ? ", an issuer" : "");
}

char *network_text(const json_t *node)
{
    const json_t *network = json_object_get(node, "network");
    size_t len = 0;
    char *text = NULL, *name, *state;
    FILE *out = json_is_object(network) ? open_memstream(&text, &len) : NULL;
    if (!out)
        return NULL;
    name = format_clean(nodes_text(network, "name"));
    state = format_clean(nodes_text(network, "state"));
    fputs(name, out);
    if (strcmp(state, "member") == 0)
        print_member(out, network);
    else
        print_lack(out, network, state);
    fclose(out);
    free(name);
    free(state);
    return text;
}
