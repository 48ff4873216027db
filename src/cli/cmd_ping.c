/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh ping: sealed probes to a peer, over the path that its data takes. */
#include "cli/cmd.h"

#include "base/clock.h"
#include "cli/api_client.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/nodes.h"
#include "cli/peer_text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_MS 5000

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

struct tally {
    unsigned sent, received;
    double min_us, max_us, sum_us;
    json_t *probes;
    bool forbidden; /* and so are those to come */
};

struct target {
    struct node_id node;
    char peer[ID_TEXT_MAX]; /* its id: no doubt is left to the node */
};

/* The one peer, of the nodes here, that is meant. */
static enum cli_exit choose(const struct cli_options *options, const struct nodes *nodes, struct target *out)
{
    size_t fitting = 0, i, j;
    json_t *node, *peer;
    json_array_foreach(nodes->list, i, node) json_array_foreach(json_object_get(node, "peers"), j, peer)
    {
        if (!nodes_match(peer, options->words[0]))
            continue;
        out->node = nodes->ids[i];
        snprintf(out->peer, sizeof(out->peer), "%s", nodes_text(peer, "id"));
        fitting++;
    }
    if (fitting == 1)
        return CLI_OK;
    if (fitting == 0)
        cli_complain("no node here has a peer \"%s\": `shadowmesh peers` lists them", options->words[0]);
    else
        cli_complain("%zu peers fit \"%s\": choose a node with -n NAME, or give more digits of the peer's id",
                     fitting, options->words[0]);
    return CLI_FAILURE;
}

static void count_answer(struct tally *t, double rtt_us)
{
    t->min_us = t->received == 0 || rtt_us < t->min_us ? rtt_us : t->min_us;
    t->max_us = rtt_us > t->max_us ? rtt_us : t->max_us;
    t->sum_us += rtt_us;
    t->received++;
}

static void print_answer(const struct cli_options *options, const json_t *result)
{
    char id[ID_TEXT_MAX];
    char *name = format_clean(nodes_text(result, "name")),
         *path = peer_text_carrier(json_object_get(result, "path"));
    char *clean = format_clean(path);
    char *digits = format_clean(nodes_id(options, nodes_text(result, "peer_id"), id));
    printf("%s  %s  %s  %.2f ms\n", name[0] ? name : "-", digits, clean,
           nodes_number(result, "rtt_us") / 1000);
    free(digits);
    free(name);
    free(path);
    free(clean);
}

static void probe(const struct cli_options *options, const struct target *target, struct tally *t)
{
    char error[API_ERROR_MAX];
    json_t *result = NULL;
    json_t *request = json_pack("{s:s,s:s}", "cmd", "ping", "peer", target->peer);
    int err = api_client_call(options->run_dir, &target->node, request, TIMEOUT_MS, &result, error);
    const char *cause = err == ERR_NOT_FOUND ? error
                        : err == ERR_AGAIN   ? "no answer from the node"
                        : err == ERR_CLOSED  ? "the node is gone"
                        : err == ERR_PERMISSION
                            ? "only root and the user that runs the node may make it ping: try sudo"
                            : err_str(err);
    t->sent++;
    if (!err && nodes_number(result, "rtt_us") >= 0) {
        count_answer(t, nodes_number(result, "rtt_us"));
        json_array_append(t->probes, result);
        if (!options->json)
            print_answer(options, result);
    } else {
        json_array_append_new(t->probes, json_pack("{s:s}", "error", cause));
        if (!options->json)
            cli_complain("%s: %s", options->words[0], cause);
    }
    fflush(stdout);
    json_decref(result);
    t->forbidden = err == ERR_PERMISSION;
}

static void wait_until(uint64_t deadline_us)
{
    uint64_t now = clock_monotonic_us();
    uint64_t left = deadline_us > now ? deadline_us - now : 0;
    struct timespec t = {(time_t)(left / USEC_PER_SEC), (long)(left % USEC_PER_SEC * 1000)};
    if (!interrupted)
        nanosleep(&t, NULL); /* a signal ends it, and the loop */
}

static void report(const struct cli_options *options, struct tally *t)
{
    double lost = t->sent ? (double)(t->sent - t->received) / t->sent : 0;
    double average = t->received ? t->sum_us / t->received : 0;
    char share[FORMAT_MAX];
    if (options->json) {
        nodes_print_json(json_pack("{s:s,s:i,s:i,s:f,s:f,s:f,s:f,s:O}", "peer", options->words[0], "sent",
                                   t->sent, "received", t->received, "loss", lost, "rtt_min_us", t->min_us,
                                   "rtt_avg_us", average, "rtt_max_us", t->max_us, "probes", t->probes));
        return;
    }
    printf("%u sent, %u answered, %s lost", t->sent, t->received, format_share(lost, share));
    if (t->received)
        printf(", rtt min/avg/max %.2f/%.2f/%.2f ms", t->min_us / 1000, average / 1000, t->max_us / 1000);
    putchar('\n');
}

static enum cli_exit run(const struct cli_options *options, const struct target *target)
{
    struct tally t = {.probes = json_array()};
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    uint64_t next = clock_monotonic_us();
    while (!interrupted && !t.forbidden && (options->count == 0 || t.sent < options->count)) {
        if (t.sent > 0)
            wait_until(next += (uint64_t)(options->interval_s * USEC_PER_SEC));
        if (interrupted)
            break;
        probe(options, target, &t);
    }
    report(options, &t);
    json_decref(t.probes);
    return t.received > 0 ? CLI_OK : CLI_FAILURE;
}

int cmd_ping(const struct cli_options *options)
{
    struct nodes nodes;
    struct target target;
    enum cli_exit verdict = nodes_collect(options, &nodes);
    if (verdict == CLI_OK)
        verdict = choose(options, &nodes, &target);
    if (verdict == CLI_OK)
        verdict = run(options, &target);
    nodes_free(&nodes);
    return verdict;
}
