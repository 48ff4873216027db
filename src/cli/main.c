/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh: finds the verb, reads the options that it takes, runs it. */
#include "cli/cli.h"
#include "cli/cmd.h"

#include "base/flags.h"

#include <ctype.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_MIN 40 /* columns */
#define WIDTH_MAX 10000

struct verb {
    const char *name, *argument, *help; /* an argument that ends in "..." may come several times */
    int (*run)(const struct cli_options *options);
};

static const struct verb verbs[] = {
    {"status", NULL, "every node that runs here, its peers, traffic and drops", cmd_status},
    {"peers", NULL, "a table of the peers: path, MTU, RTT, loss, ages, suite", cmd_peers},
    {"fdb", NULL, "which MAC address is behind which peer", cmd_fdb},
    {"ping", "PEER", "probe a peer, by name, id prefix or overlay address", cmd_ping},
    {"allow", "ID...", "admit these nodes, until the node stops", cmd_allow},
    {"disallow", "ID...", "neither admit nor dial them; their sessions end", cmd_disallow},
    {"connect", "ID[@HOST]...", "dial these nodes and stay connected", cmd_connect},
    {"disconnect", "ID...", "dial them no more; their sessions end", cmd_disconnect},
    {"netcheck", NULL, "how this machine reaches the internet: UDP, NAT", cmd_netcheck},
    {"check", "NAME", "whether a node's configuration file can be used", cmd_check},
    {"reload", "NAME", "a node reads its flags and its file again", cmd_reload},
    {"set", "NAME CHANGE...", "change values in a node's configuration file", cmd_set},
    {"id", NULL, "the ids of the nodes that run here, for -connect", cmd_id},
    {"version", NULL, "the version of this program", cmd_version},
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

/* In the order of verbs[]: which of them take a flag. */
enum user {
    STATUS = 1,
    PEERS = 2,
    FDB = 4,
    PING = 8,
    ALLOW = 16,
    DISALLOW = 32,
    CONNECT = 64,
    DISCONNECT = 128,
    NETCHECK = 256,
    CHECK = 512, /* takes none */
    RELOAD = 1024,
    SET = 2048, /* takes none */
    ID = 4096,
    VERSION = 8192,
};
#define LISTS   (STATUS | PEERS | FDB)
#define CHANGES (ALLOW | DISALLOW | CONNECT | DISCONNECT)

/* What the command line says. */
struct line {
    struct cli_options options;
    const struct verb *verb; /* NULL until it is read */
    bool help;               /* the verb is what help is wanted for */
};

static const char *read_json(void *context, const char *text)
{
    return flags_read_switch(text, &((struct line *)context)->options.json);
}

static const char *read_whole(void *context, const char *text)
{
    return flags_read_switch(text, &((struct line *)context)->options.whole);
}

static const char *read_node(void *context, const char *text)
{
    ((struct line *)context)->options.node = text;
    return text[0] ? NULL : "no node: give its name or the first digits of its id";
}

static const char *read_run(void *context, const char *text)
{
    struct cli_options *o = &((struct line *)context)->options;
    o->run_dir = text;
    o->run_given = true;
    return text[0] ? NULL : "no folder: give the one that the node was started with";
}

static const char *read_count(void *context, const char *text)
{
    char *end = NULL;
    unsigned long count = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || count > 1000000)
        return "no count: give a number from 0 to 1000000";
    ((struct line *)context)->options.count = (unsigned)count;
    return NULL;
}

static const char *read_interval(void *context, const char *text)
{
    char *end = NULL;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= 0.01 && seconds <= 3600))
        return "no interval: give seconds from 0.01 to 3600";
    ((struct line *)context)->options.interval_s = seconds;
    return NULL;
}

/* What shadowmesh-l2 reads, and complains about. */
static const char *pass_on(void *context, const char *flag, const char *text)
{
    struct cli_options *o = &((struct line *)context)->options;
    if (o->check_count + 2 > CLI_CHECK_MAX)
        return "one too many";
    o->check[o->check_count++] = flag;
    o->check[o->check_count++] = text;
    return NULL;
}

static const char *read_backbone(void *context, const char *text)
{
    return pass_on(context, "-backbone", text);
}

static const char *read_stun(void *context, const char *text)
{
    return pass_on(context, "-stun", text);
}

static const char *read_proxy(void *context, const char *text)
{
    return pass_on(context, "-proxy", text);
}

static const struct flag flags[] = {
    {"json", NULL, "print JSON, for scripts", read_json,
     LISTS | PING | CHANGES | NETCHECK | RELOAD | ID | VERSION},
    {"l", NULL, "whole ids; with peers, every path", read_whole, LISTS | PING},
    {"n", "NODE", "only the node with this name or id prefix", read_node,
     LISTS | PING | CHANGES | NETCHECK | ID},
    {"run", "DIR", "folder of the API sockets (default /run/shadowmesh)", read_run,
     LISTS | PING | CHANGES | NETCHECK | RELOAD | ID},
    {"c", "COUNT", "ping: how many probes (default 4, 0 without end)", read_count, PING},
    {"i", "SECONDS", "ping: from one probe to the next (default 1)", read_interval, PING},
    {"backbone", "URL", "netcheck, without asking a node: reach this backbone", read_backbone, NETCHECK},
    {"stun", "HOST[:PORT]", "likewise: ask this STUN server; may repeat", read_stun, NETCHECK},
    {"proxy", "URL|off", "likewise: by this HTTP proxy", read_proxy, NETCHECK},
};
#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

static bool take_word(void *context, const char *word);
static void print_help(const void *context);

static const struct flags program = {
    .program = "shadowmesh", .rows = flags, .count = FLAG_COUNT, .word = take_word, .help = print_help};

static unsigned user_of(const struct verb *verb)
{
    return 1u << (verb - verbs);
}

static void print_verb(const struct verb *verb)
{
    printf("Usage: shadowmesh %s%s%s [options]\n\n%c%s.\n\n", verb->name, verb->argument ? " " : "",
           verb->argument ? verb->argument : "", toupper((unsigned char)verb->help[0]), verb->help + 1);
    flags_print_rows(&program, user_of(verb));
}

static void print_verbs(void)
{
    char left[64];
    puts("Usage: shadowmesh VERB [options]\n"
         "\n"
         "Looks at the ShadowMesh nodes that run on this machine, and changes whom they\n"
         "admit and dial.\n"
         "\n"
         "Verbs, each with a -help of its own:");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        snprintf(left, sizeof(left), "%s %s", verbs[i].name, verbs[i].argument ? verbs[i].argument : "");
        printf("  %-22s%s\n", left, verbs[i].help);
    }
    puts("\nOptions (-name VALUE, --name VALUE or -name=VALUE):");
    flags_print_rows(&program, 0);
    puts("\n"
         "Examples:\n"
         "  shadowmesh status\n"
         "  shadowmesh ping site-b -c 10\n"
         "  shadowmesh status --json | jq -r '.[].peers[].name'\n"
         "\n"
         "Exit codes: 0 success, 1 the peer or a node does not answer, 2 wrong usage,\n"
         "3 no node runs here. More in shadowmesh(1); shadowmesh-l2(8) starts a node.");
}

static void print_help(const void *context)
{
    const struct line *line = context;
    if (line->verb)
        print_verb(line->verb);
    else
        print_verbs();
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* Takes "help", the verb, or the verb's argument. */
static bool take_word(void *context, const char *word)
{
    struct line *line = context;
    if (!line->verb && !line->help && strcmp(word, "help") == 0) {
        line->help = true;
        return true;
    }
    if (!line->verb) {
        line->verb = find_verb(word);
        if (!line->verb)
            cli_complain("unknown verb \"%s\": `shadowmesh -help` lists them", word);
        return line->verb != NULL;
    }
    const char *argument = line->verb->argument;
    bool several = argument && strchr(argument, '.');
    if (argument && word[0] && (several || line->options.word_count == 0)) {
        line->options.words[line->options.word_count++] = word;
        return true;
    }
    cli_complain("unexpected argument \"%s\": `shadowmesh %s -help` shows the usage", word, line->verb->name);
    return false;
}

static bool check_verb(const struct line *line, uint64_t seen)
{
    const struct verb *verb = line->verb;
    if (!verb) {
        cli_complain(
            "no verb: say what to look at, as in `shadowmesh status`; `shadowmesh -help` lists the verbs");
        return false;
    }
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (!(seen >> i & 1) || flags[i].users & user_of(verb))
            continue;
        cli_complain("%s takes no -%s: `shadowmesh %s -help` tells what it takes", verb->name, flags[i].name,
                     verb->name);
        return false;
    }
    bool lacking = verb->argument && line->options.word_count == 0;
    if (lacking)
        cli_complain("%s needs a %s: shadowmesh %s %s", verb->name,
                     strncmp(verb->argument, "NAME", 4) == 0 ? "name" : "peer", verb->name, verb->argument);
    return !lacking;
}

static bool has_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && (!no || !no[0]) && term && strcmp(term, "dumb") != 0;
}

/* 0: what is no terminal has lines of any length. */
static unsigned terminal_width(void)
{
    struct winsize size = {0};
    const char *columns = getenv("COLUMNS");
    unsigned long width = columns ? strtoul(columns, NULL, 10) : 0;
    if (!isatty(STDOUT_FILENO))
        return 0;
    if (!width && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (!width)
        width = 80;
    return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : (unsigned)width;
}

static int run(struct line *line, int argc, char **argv)
{
    uint64_t seen = 0;
    enum flags_result result = flags_parse(&program, argc, argv, line, &seen);
    if (result != FLAGS_RUN)
        return result == FLAGS_EXIT_OK ? CLI_OK : CLI_USAGE;
    if (line->help) {
        print_help(line);
        return CLI_OK;
    }
    if (!check_verb(line, seen))
        return CLI_USAGE;
    line->options.colour = has_colour();
    line->options.width = terminal_width();
    return line->verb->run(&line->options);
}

int main(int argc, char **argv)
{
    struct line line = {.options = {.run_dir = "/run/shadowmesh", .count = 4, .interval_s = 1}};
    setlocale(LC_CTYPE, "C.UTF-8"); /* only for the width of characters */
    line.options.words = calloc((size_t)argc, sizeof(*line.options.words));
    if (!line.options.words) {
        cli_complain("out of memory");
        return CLI_FAILURE;
    }
    int code = run(&line, argc, argv);
    free(line.options.words);
    return code;
}
