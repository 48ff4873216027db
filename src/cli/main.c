/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh: finds the verb, reads the options that it takes, runs it. */
#include "cli/cli.h"

#include "cli/format.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum option_bit { OPTION_RUN = 1, OPTION_NODE = 2, OPTION_JSON = 4, OPTION_WHOLE = 8, OPTION_PING = 16 };
#define OPTION_LIST (OPTION_RUN | OPTION_NODE | OPTION_JSON | OPTION_WHOLE)

struct verb {
    const char *name, *argument, *help;
    unsigned options;
    int (*run)(const struct cli_options *options);
};

static const struct verb verbs[] = {
    {"status", NULL, "every node that runs here, with its peers, traffic and drops", OPTION_LIST, cmd_status},
    {"peers", NULL, "a table of the peers: path, MTU, RTT, loss, ages, suite", OPTION_LIST, cmd_peers},
    {"fdb", NULL, "which MAC address is behind which peer", OPTION_LIST, cmd_fdb},
    {"ping", "PEER", "probe a peer, by name or id prefix, over the tunnel", OPTION_LIST | OPTION_PING,
     cmd_ping},
    {"id", NULL, "the ids of the nodes that run here, for -connect", OPTION_RUN | OPTION_NODE | OPTION_JSON,
     cmd_id},
    {"version", NULL, "the version of this program", OPTION_JSON, cmd_version},
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

struct option {
    const char *name, *value, *help;
    unsigned bit;
};

static const struct option options[] = {
    {"json", NULL, "print JSON, for scripts", OPTION_JSON},
    {"l", NULL, "whole ids; with peers, every path", OPTION_WHOLE},
    {"n", "NODE", "only the node with this name or id prefix", OPTION_NODE},
    {"run", "DIR", "folder of the API sockets (default /run/shadowmesh)", OPTION_RUN},
    {"c", "COUNT", "ping: how many probes (default 4, 0 without end)", OPTION_PING},
    {"i", "SECONDS", "ping: from one probe to the next (default 1)", OPTION_PING},
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

void cli_complain(const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    char *clean = format_clean(line);
    fflush(stdout);
    fprintf(stderr, "shadowmesh: %s\n", clean);
    free(clean);
}

static void print_help(void)
{
    char left[64];
    puts("Usage: shadowmesh VERB [options]\n"
         "\n"
         "Looks at the ShadowMesh nodes that run on this machine.\n"
         "\n"
         "Verbs:");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        snprintf(left, sizeof(left), "%s %s", verbs[i].name, verbs[i].argument ? verbs[i].argument : "");
        printf("  %-18s%s\n", left, verbs[i].help);
    }
    puts("\nOptions (-name VALUE, --name VALUE or -name=VALUE):");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        snprintf(left, sizeof(left), "-%s %s", options[i].name, options[i].value ? options[i].value : "");
        printf("  %-18s%s\n", left, options[i].help);
    }
    puts("  -help             print this page and exit\n"
         "  -version          the same as the verb\n"
         "\n"
         "Examples:\n"
         "  shadowmesh status\n"
         "  shadowmesh ping site-b -c 10\n"
         "  shadowmesh status --json | jq -r '.[].peers[].name'\n"
         "\n"
         "Exit codes: 0 well, 1 the peer or a node does not answer, 2 wrong usage, 3 no node runs here.\n"
         "More in shadowmesh(1); a node is started with shadowmesh-l2(8).");
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static const struct option *find_option(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

static bool set_count(struct cli_options *out, const char *value)
{
    char *end = NULL;
    unsigned long count = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || count > 1000000) {
        cli_complain("-c %s: no count: give a number from 0 to 1000000", value);
        return false;
    }
    out->count = (unsigned)count;
    return true;
}

static bool set_interval(struct cli_options *out, const char *value)
{
    char *end = NULL;
    double seconds = strtod(value, &end);
    if (end == value || *end || !(seconds >= 0.01 && seconds <= 3600)) {
        cli_complain("-i %s: no interval: give seconds from 0.01 to 3600", value);
        return false;
    }
    out->interval_s = seconds;
    return true;
}

static bool set_option(struct cli_options *out, const struct option *o, const char *value)
{
    switch ((enum option_bit)o->bit) {
    case OPTION_RUN:
        out->run_dir = value;
        return true;
    case OPTION_NODE:
        out->node = value;
        return true;
    case OPTION_JSON:
        out->json = true;
        return true;
    case OPTION_WHOLE:
        out->whole = true;
        return true;
    case OPTION_PING:
        return o->name[0] == 'c' ? set_count(out, value) : set_interval(out, value);
    }
    return false;
}

/* Reads the option at argv[*at] and moves *at past it; *seen collects the bits. */
static bool parse_option(struct cli_options *out, int argc, char **argv, int *at, unsigned *seen)
{
    const char *name = argv[(*at)++] + 1;
    name += name[0] == '-';
    size_t len = strcspn(name, "=");
    const struct option *o = find_option(name, len);
    if (!o || (!o->value && name[len])) {
        cli_complain("unknown option -%s: `shadowmesh -help` lists them", name);
        return false;
    }
    const char *value = name[len] ? name + len + 1 : NULL;
    if (o->value && !value && *at < argc)
        value = argv[(*at)++];
    if (o->value && (!value || !value[0])) {
        cli_complain("-%s needs a value: -%s %s", o->name, o->name, o->value);
        return false;
    }
    *seen |= o->bit;
    return set_option(out, o, value);
}

static bool wants_help(const char *text)
{
    return strcmp(text, "-h") == 0 || strcmp(text, "-help") == 0 || strcmp(text, "--help") == 0;
}

static bool check_verb(const struct verb *verb, const struct cli_options *o, unsigned seen)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((seen & options[i].bit & ~verb->options) == 0)
            continue;
        cli_complain("%s takes no -%s: `shadowmesh -help` tells what it takes", verb->name, options[i].name);
        return false;
    }
    if (verb->argument && !o->peer)
        cli_complain("%s needs a peer: shadowmesh %s %s", verb->name, verb->name, verb->argument);
    return !verb->argument || o->peer;
}

/* Takes the verb, or the verb's argument. */
static bool parse_word(const struct verb **verb, struct cli_options *out, const char *word)
{
    if (!*verb) {
        *verb = find_verb(word);
        if (!*verb)
            cli_complain("unknown verb \"%s\": `shadowmesh -help` lists them", word);
        return *verb != NULL;
    }
    if ((*verb)->argument && !out->peer && word[0]) {
        out->peer = word;
        return true;
    }
    cli_complain("unexpected argument \"%s\": `shadowmesh -help` shows the usage", word);
    return false;
}

static bool has_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && (!no || !no[0]) && term && strcmp(term, "dumb") != 0;
}

int main(int argc, char **argv)
{
    struct cli_options o = {.run_dir = "/run/shadowmesh", .count = 4, .interval_s = 1};
    const struct verb *verb = NULL;
    unsigned seen = 0;
    setlocale(LC_CTYPE, "C.UTF-8"); /* only for the width of characters */
    for (int i = 1; i < argc;) {
        if (wants_help(argv[i]) || (!verb && strcmp(argv[i], "help") == 0)) {
            print_help();
            return CLI_OK;
        }
        if (!verb && (strcmp(argv[i], "-version") == 0 || strcmp(argv[i], "--version") == 0))
            return cmd_version(&o);
        bool ok =
            argv[i][0] == '-' ? parse_option(&o, argc, argv, &i, &seen) : parse_word(&verb, &o, argv[i++]);
        if (!ok)
            return CLI_USAGE;
    }
    if (!verb) {
        cli_complain(
            "no verb: say what to look at, as in `shadowmesh status`; `shadowmesh -help` lists the verbs");
        return CLI_USAGE;
    }
    if (!check_verb(verb, &o, seen))
        return CLI_USAGE;
    o.colour = has_colour();
    return verb->run(&o);
}
