/* SPDX-License-Identifier: Apache-2.0 */
/* The steps in their order; status' network.step is the one that the node is at:
 *
 *     searching ─ issuer ─ proving ─┬─ member ─ a peer is connected
 *                                   └─ approval ─┘
 */
#include "cli/join_report.h"

#include "cli/cli.h"
#include "cli/format.h"
#include "cli/nodes.h"
#include "cli/place.h"
#include "cli/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS    100
#define PATIENCE_S 60 /* for each step */
#define DONE       "✓"
#define FAILED     "✗"

enum step { SEARCHING, ISSUER, PROVING, APPROVAL, MEMBER, STEPS };

static const char *const names[STEPS] = {"searching", "issuer", "proving", "approval", "member"};

/* What is true once the node is at a step behind it, or at it. */
static const char *const done[STEPS] = {
    [SEARCHING] = "the node runs",
    [ISSUER] = "an issuer of the network is reached",
    [PROVING] = "it has proven that it is one, by the fingerprint in the token",
};

struct report {
    const struct place *place;
    enum step shown; /* the next one to be told */
    bool waits;      /* was told */
    time_t since;    /* of the last line */
};

static enum step step_of(const json_t *network)
{
    const char *state = nodes_text(network, "state"), *step = nodes_text(network, "step");
    for (unsigned i = 0; i < STEPS; i++)
        if (strcmp(step, names[i]) == 0)
            return (enum step)i;
    return strcmp(state, "member") == 0 ? MEMBER : SEARCHING;
}

static void say(struct report *r, const char *mark, const char *text)
{
    printf("%s %s\n", mark, text);
    fflush(stdout);
    r->since = time(NULL);
}

static void say_joined(struct report *r, const json_t *status)
{
    char *addresses = nodes_addresses(status), *clean = format_clean(addresses),
         *name = format_clean(nodes_text(status, "name"));
    printf(DONE " joined %s as %s: %s\n", r->place->network, name, clean);
    fflush(stdout);
    free(addresses);
    free(clean);
    free(name);
    r->since = time(NULL);
}

static void tell(struct report *r, enum step step, const json_t *status)
{
    for (; r->shown <= step && r->shown < STEPS; r->shown++)
        if (r->shown == MEMBER)
            say_joined(r, status);
        else if (done[r->shown])
            say(r, DONE, done[r->shown]);
    if (step == APPROVAL && !r->waits) {
        say(r, " ", "it waits for a person there: `shadowmesh approve` lets this node in");
        r->waits = true;
    }
}

/* The first peer that answers, told; false: none does yet. */
static bool tell_peer(struct report *r, const json_t *status)
{
    size_t i;
    json_t *peer;
    json_array_foreach(json_object_get(status, "peers"), i, peer)
    {
        if (strcmp(nodes_text(peer, "state"), "connected") != 0)
            continue;
        char *name = format_clean(nodes_text(peer, "name")), rtt[FORMAT_MAX], text[256];
        snprintf(text, sizeof(text), "%s answers%s%s", name[0] ? name : "a peer",
                 nodes_number(peer, "rtt_us") >= 0 ? " in " : "",
                 nodes_number(peer, "rtt_us") >= 0 ? format_rtt(nodes_number(peer, "rtt_us"), rtt) : "");
        say(r, DONE, text);
        free(name);
        return true;
    }
    return false;
}

/* Why it does not go on: the node's words. */
static int give_up(struct report *r, const json_t *network, const char *otherwise)
{
    char *text = format_clean(nodes_text(network, "text"));
    say(r, FAILED, text[0] ? text : otherwise);
    free(text);
    return CLI_FAILURE;
}

static const char *late(enum step step)
{
    if (step == MEMBER)
        return "no peer answers yet: the node goes on trying, `shadowmesh peers` tells why";
    return step == SEARCHING
               ? "no issuer is reached: the node goes on trying, `shadowmesh status` tells how far it is"
               : "the issuer does not answer: the node goes on trying";
}

/* True when it is over, with *code. */
static bool look(struct report *r, int *code)
{
    json_t *status = service_status(r->place), *network = json_object_get(status, "network");
    const char *state = nodes_text(network, "state");
    enum step step = step_of(network);
    bool over = true;
    *code = CLI_OK;
    if (status)
        tell(r, step, status);
    if (strcmp(state, "refused") == 0 || strcmp(state, "expired") == 0)
        *code = give_up(r, network, "refused");
    else if (step == MEMBER && tell_peer(r, status))
        *code = CLI_OK;
    else if (step != APPROVAL && time(NULL) - r->since > PATIENCE_S)
        *code = give_up(r, network, status ? late(step) : "the node does not run any more");
    else
        over = false;
    json_decref(status);
    return over;
}

int join_report(const struct place *p)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
    struct report r = {.place = p, .since = time(NULL)};
    int code;
    while (!look(&r, &code))
        nanosleep(&pause, NULL);
    return code;
}
