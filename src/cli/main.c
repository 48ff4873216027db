/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh: finds the verb, reads the options that it takes, runs it. */
#include "cli/cli.h"
#include "cli/cmd.h"
#include "cli/place.h"

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

/* Which verbs take a flag. */
enum user {
    STATUS = 1 << 0,
    PEERS = 1 << 1,
    FDB = 1 << 2,
    PING = 1 << 3,
    ALLOW = 1 << 4,
    DISALLOW = 1 << 5,
    CONNECT = 1 << 6,
    DISCONNECT = 1 << 7,
    NETCHECK = 1 << 8,
    CHECK = 1 << 9,
    ID = 1 << 10,
    VERSION = 1 << 11,
    UP = 1 << 12,
    DOWN = 1 << 13,
    LEAVE = 1 << 14,
    JOIN = 1 << 15,
    RELOAD = 1 << 16,
    SET = 1 << 17,
    MEMBERS = 1 << 18,
    REVOKE = 1 << 19,
    INVITE = 1 << 20,
    INVITES = 1 << 21,
    APPROVE = 1 << 22,
    PROMOTE = 1 << 23,
    CA = 1 << 24,
    BACKUP = 1 << 25,
    RESTORE = 1 << 26,
    LOG = 1 << 27,
    RUN = 1 << 29,
};
#define LISTS   (STATUS | PEERS | FDB | MEMBERS)
#define CHANGES (ALLOW | DISALLOW | CONNECT | DISCONNECT | REVOKE)
#define NETWORKS                                                                                             \
    (UP | DOWN | LEAVE | JOIN | INVITE | INVITES | APPROVE | PROMOTE | CA | BACKUP | RESTORE | LOG)

struct verb {
    enum user user;
    /* one in brackets may be missing; where there are several words, or "...", the verb counts them */
    const char *name, *argument, *help;
    int (*run)(const struct cli_options *options);
};

static const struct verb verbs[] = {
    {UP, "up", "NAME", "start a node in a network, which is made if need be", cmd_up},
    {JOIN, "join", "[TOKEN]", "come into a network by a token", cmd_join},
    {INVITE, "invite", "NAME", "make a token of a network: who has it may join", cmd_invite},
    {INVITES, "invites", "NAME", "the tokens made here, and who waits to be let in", cmd_invites},
    {APPROVE, "approve", "NAME WHO...", "let in who waits for it", cmd_approve},
    {DOWN, "down", "NAME", "stop this machine's node in a network", cmd_down},
    {LEAVE, "leave", "NAME", "tell the network, stop it, and remove its files here", cmd_leave},
    {PROMOTE, "promote", "NAME MEMBER...", "make members issuers, by the key of the network's CA",
     cmd_promote},
    {CA, "ca", "ACT NAME...", "the CA's key: export, remove; issuers: renew, revoke", cmd_ca},
    {BACKUP, "backup", "NAME FILE", "write a network's files here to one, keys included", cmd_backup},
    {RESTORE, "restore", "FILE", "make a network's files again of what `backup` wrote", cmd_restore},
    {STATUS, "status", NULL, "every node that runs here, its peers, traffic and drops", cmd_status},
    {PEERS, "peers", NULL, "a table of the peers: path, MTU, RTT, loss, ages, suite", cmd_peers},
    {MEMBERS, "members", NULL, "who is in the network, until when, and who is there", cmd_members},
    {LOG, "log", "NAME", "who joined, was renewed, revoked or promoted, by whom", cmd_log},
    {FDB, "fdb", NULL, "which MAC address is behind which peer", cmd_fdb},
    {PING, "ping", "PEER", "probe a peer, by name, id prefix or overlay address", cmd_ping},
    {ALLOW, "allow", "ID...", "admit these nodes, until the node stops", cmd_allow},
    {DISALLOW, "disallow", "ID...", "neither admit nor dial them; their sessions end", cmd_disallow},
    {CONNECT, "connect", "ID[@HOST]...", "dial these nodes and stay connected", cmd_connect},
    {DISCONNECT, "disconnect", "ID...", "dial them no more; their sessions end", cmd_disconnect},
    {REVOKE, "revoke", "MEMBER...", "shut members out of the network for ever, by name or id", cmd_revoke},
    {RUN, "run", "[NODE] -- CMD", "a command in the network of a node without root", cmd_run},
    {NETCHECK, "netcheck", NULL, "how this machine reaches the internet: UDP, NAT", cmd_netcheck},
    {CHECK, "check", "NAME", "whether a node's configuration file can be used", cmd_check},
    {RELOAD, "reload", "NAME", "a node reads its flags and its file again", cmd_reload},
    {SET, "set", "NAME CHANGE...", "change values in a node's configuration file", cmd_set},
    {ID, "id", NULL, "the ids of the nodes that run here, for -connect", cmd_id},
    {VERSION, "version", NULL, "the version of this program", cmd_version},
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

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

static const char *read_etc(void *context, const char *text)
{
    ((struct line *)context)->options.etc_dir = text;
    return text[0] ? NULL : "no folder: give the one that the networks' folders are in";
}

static const char *read_name(void *context, const char *text)
{
    ((struct line *)context)->options.name = text;
    return NULL;
}

static const char *read_ip(void *context, const char *text)
{
    ((struct line *)context)->options.ip = text;
    return NULL;
}

static const char *read_tap_ip(void *context, const char *text)
{
    ((struct line *)context)->options.tap_ip = text;
    return NULL;
}

static const char *read_range(void *context, const char *text)
{
    struct cli_options *o = &((struct line *)context)->options;
    if (o->range_count == CLI_RANGES_MAX)
        return "one too many: give one of IPv4 and one of IPv6";
    o->ranges[o->range_count++] = text;
    return NULL;
}

static const char *read_foreground(void *context, const char *text)
{
    return flags_read_switch(text, &((struct line *)context)->options.foreground);
}

static const char *read_yes(void *context, const char *text)
{
    return flags_read_switch(text, &((struct line *)context)->options.yes);
}

static const char *read_uses(void *context, const char *text)
{
    char *end = NULL;
    unsigned long count = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || count < 1 || count > 1000)
        return "no number of nodes from 1 to 1000";
    ((struct line *)context)->options.uses = (unsigned)count;
    return NULL;
}

/* "30m", "1h", "7d"; seconds without a letter. */
static const char *read_expires(void *context, const char *text)
{
    static const struct {
        char letter;
        unsigned seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'\0', 1}};
    char *end = NULL;
    unsigned long long count = strtoull(text, &end, 10);
    size_t i = 0;
    while (i < sizeof(units) / sizeof(units[0]) && units[i].letter != *end)
        i++;
    if (text[0] < '0' || text[0] > '9' || i == sizeof(units) / sizeof(units[0]) || (*end && end[1]) ||
        count < 1 || count > 90ull * 86400 / units[i].seconds)
        return "no time such as 30m, 1h or 7d, of 90d at most";
    ((struct line *)context)->options.expires_s = (unsigned)count * units[i].seconds;
    return NULL;
}

static const char *read_role(void *context, const char *text)
{
    struct cli_options *o = &((struct line *)context)->options;
    if (o->role_count == CLI_ROLES_MAX)
        return "one too many: there are relay, gateway, dhcp and router";
    o->roles[o->role_count++] = text;
    return NULL;
}

static const char *read_approve(void *context, const char *text)
{
    return flags_read_switch(text, &((struct line *)context)->options.approve);
}

static const char *read_ca(void *context, const char *text)
{
    ((struct line *)context)->options.ca = text;
    return text[0] ? NULL : "no file: give the one that `shadowmesh ca export` made";
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

static const char *read_adopt(void *context, const char *text)
{
    ((struct line *)context)->options.adopt = text;
    return text[0] ? NULL : "no folder: give the one that the node had as -keydir";
}

static const char *read_connect(void *context, const char *text)
{
    return pass_on(context, "-connect", text);
}

static const char *read_allow(void *context, const char *text)
{
    return pass_on(context, "-allow", text);
}

static const char *read_plain(void *context, const char *text)
{
    return flags_read_switch(text, &((struct line *)context)->options.plain);
}

static const char *read_quiet(void *context, const char *text)
{
    return flags_read_switch(text, &((struct line *)context)->options.quiet);
}

static const char *read_qr(void *context, const char *text)
{
    return flags_read_switch(text, &((struct line *)context)->options.qr);
}

static const char *read_revoke(void *context, const char *text)
{
    ((struct line *)context)->options.revoke = text;
    return text[0] ? NULL : "no token: `shadowmesh invites` lists their numbers";
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
     LISTS | PING | CHANGES | NETCHECK | RELOAD | ID | VERSION | INVITES | LOG},
    {"l", NULL, "whole ids; with peers, every path", read_whole, LISTS | PING | LOG},
    {"n", "NODE", "only the node with this name or id prefix", read_node,
     LISTS | PING | CHANGES | NETCHECK | ID},
    {"run", "DIR",
     "folder of the API sockets (default /run/shadowmesh, or an ordinary user's own, "
     "$XDG_RUNTIME_DIR/shadowmesh, "
     "where it is there)",
     read_run, LISTS | PING | CHANGES | NETCHECK | RELOAD | ID | NETWORKS | RUN},
    {"c", "COUNT", "ping: how many probes (default 4, 0 without end)", read_count, PING},
    {"i", "SECONDS", "ping: from one probe to the next (default 1)", read_interval, PING},
    {"backbone", "URL",
     "up: a server that introduces nodes; netcheck, without asking a node: reach it; may repeat",
     read_backbone, NETCHECK | UP},
    {"stun", "HOST[:PORT]", "netcheck, likewise: ask this STUN server; may repeat", read_stun, NETCHECK},
    {"proxy", "URL|off", "netcheck, likewise: by this HTTP proxy", read_proxy, NETCHECK},
    {"name", "NAME", "up, join: what this node is called there (default: as the host); invite: … who joins",
     read_name, UP | JOIN | INVITE},
    {"uses", "N", "how many nodes may join by it (default 1)", read_uses, INVITE},
    {"expires", "TIME", "how long it is good, such as 30m, 1h, 7d (default 1h)", read_expires, INVITE},
    {"role", "ROLE", "relay, gateway, dhcp or router: what who joins may be; may repeat", read_role, INVITE},
    {"approve", NULL, "who joins by it waits until `shadowmesh approve`", read_approve, INVITE},
    {"quiet", NULL, "invite: print the token alone; ca renew: say nothing where nothing is due", read_quiet,
     INVITE | CA},
    {"qr", NULL, "print the token as a QR code, too", read_qr, INVITE},
    {"revoke", "TOKEN", "instead, the token of this number is good for nothing any more", read_revoke,
     INVITE},
    {"ip", "ADDR", "the address at which others reach this machine", read_ip, UP | JOIN},
    {"tap-ip", "ADDR", "this node's address in the network (default: the first)", read_tap_ip, UP},
    {"range", "CIDR",
     "the network's addresses (default: a 10.x.y.0/24 that is free here); may repeat for IPv6", read_range,
     UP},
    {"etc", "DIR", "the folder of the networks' folders (default " PLACE_ETC ")", read_etc,
     NETWORKS | CHECK | SET | RELOAD},
    {"adopt", "KEYDIR", "keep the key, so the id, of a node that was driven by flags", read_adopt, UP | JOIN},
    {"connect", "ID[@HOST]", "also dial this node, which has no certificate yet; may repeat", read_connect,
     UP | JOIN},
    {"allow", "ID", "likewise admit it when it dials; may repeat", read_allow, UP | JOIN},
    {"foreground", NULL, "become the node, instead of starting it", read_foreground, UP | JOIN},
    {"yes", NULL, "remove without asking", read_yes, LEAVE | CA},
    {"ca", "FILE", "a copy of the key of the network's CA, instead of the one in its folder", read_ca,
     PROMOTE | CA},
    {"plain", NULL, "ca export, backup: without a passphrase", read_plain, CA | BACKUP},
};
#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

static bool take_word(void *context, const char *word);
static void print_help(const void *context);

static const struct flags program = {
    .program = "shadowmesh", .rows = flags, .count = FLAG_COUNT, .word = take_word, .help = print_help};

static void print_verb(const struct verb *verb)
{
    printf("Usage: shadowmesh %s%s%s [options]\n\n%c%s.\n\n", verb->name, verb->argument ? " " : "",
           verb->argument ? verb->argument : "", toupper((unsigned char)verb->help[0]), verb->help + 1);
    flags_print_rows(&program, verb->user);
}

static void print_verbs(void)
{
    char left[64];
    puts("Usage: shadowmesh VERB [options]\n"
         "\n"
         "Makes and joins networks, looks at the ShadowMesh nodes that run on this\n"
         "machine, and changes whom they admit and dial.\n"
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
         "  shadowmesh up home -backbone http://203.0.113.2:8080\n"
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
    bool several = argument && strpbrk(argument, ". ");
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
        if (!(seen >> i & 1) || flags[i].users & verb->user)
            continue;
        cli_complain("%s takes no -%s: `shadowmesh %s -help` tells what it takes", verb->name, flags[i].name,
                     verb->name);
        return false;
    }
    if (line->options.command && verb->user != RUN) {
        cli_complain("%s takes no command: `shadowmesh %s -help` tells what it takes", verb->name,
                     verb->name);
        return false;
    }
    bool lacking = verb->argument && verb->argument[0] != '[' && line->options.word_count == 0;
    if (lacking)
        cli_complain("%s needs a %s: shadowmesh %s %s", verb->name,
                     strstr(verb->argument, "NAME")   ? "name"
                     : strstr(verb->argument, "FILE") ? "file"
                                                      : "peer",
                     verb->name, verb->argument);
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

/* What stands behind -- is nobody's flags. Returns how many words stand in front. */
static int take_command(struct line *line, int argc, char **argv)
{
    int words = 1;
    while (words < argc && strcmp(argv[words], "--") != 0)
        words++;
    if (words + 1 < argc)
        line->options.command = (const char *const *)argv + words + 1;
    return words;
}

static int run(struct line *line, int argc, char **argv)
{
    uint64_t seen = 0;
    argc = take_command(line, argc, argv);
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
    char run_dir[PATH_MAX];
    struct line line = {.options = {.run_dir = place_run_dir(run_dir),
                                    .etc_dir = PLACE_ETC,
                                    .count = 4,
                                    .interval_s = 1,
                                    .uses = 1,
                                    .expires_s = 3600}};
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
