/* SPDX-License-Identifier: Apache-2.0 */
/* A malicious peer for the labs: it connects to a node that admits its key, and then tells one lie for a
 * bounded time at a bounded rate. It prints "connected" once it has a session, and one line of JSON at its
 * end. */

#include "lies.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "puppet_channel.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_MAX   60
#define REDIAL_US     10000
#define PAUSE_US      200
#define TURN_MESSAGES 4096 /* between two looks at what came */

struct options {
    const char *keydir;
    struct node_id id;
    struct addr control, data;
    const struct lie *lie;
    unsigned seconds;
    uint64_t rate; /* a second; 0: as fast as it can */
};

static void usage(void)
{
    printf(
        "rogue -keydir DIR -to ID -control ADDRESS:PORT -data ADDRESS:PORT -lie LIE [-seconds N] [-rate N]\n"
        "      [-lanes N] [-source MAC] [-destination MAC] [-claim-mac MAC] [-claim-address "
        "ADDRESS/BITS]\n\nlies:\n");
    lies_list();
    exit(2);
}

static void die(const char *what, int err)
{
    fprintf(stderr, "rogue: %s: %s\n", what, err_str(err));
    exit(1);
}

static void parse_mac(const char *text, uint8_t mac[6])
{
    if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
               &mac[5]) != 6)
        usage();
}

static void claim_address(struct hello *h, const char *text)
{
    char host[ADDR_TEXT_MAX];
    const char *slash = strchr(text, '/');
    if (!slash || slash - text >= (long)sizeof(host) || h->address_count == MESSAGE_ADDRS_MAX)
        usage();
    snprintf(host, sizeof(host), "%.*s", (int)(slash - text), text);
    struct addr_prefix *p = &h->addresses[h->address_count++];
    if (addr_parse(host, 0, &p->addr))
        usage();
    p->bits = (uint8_t)atoi(slash + 1);
}

static void parse(int argc, char **argv, struct options *o, struct rogue *r)
{
    bool named = false;
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *flag = argv[i], *value = argv[i + 1];
        if (strcmp(flag, "-keydir") == 0)
            o->keydir = value;
        else if (strcmp(flag, "-to") == 0)
            named = id_parse(value, &o->id) == 0;
        else if (strcmp(flag, "-control") == 0 && addr_parse(value, 0, &o->control) == 0)
            continue;
        else if (strcmp(flag, "-data") == 0 && addr_parse(value, 0, &o->data) == 0)
            continue;
        else if (strcmp(flag, "-lie") == 0)
            o->lie = lie_find(value);
        else if (strcmp(flag, "-seconds") == 0)
            o->seconds = (unsigned)atoi(value);
        else if (strcmp(flag, "-rate") == 0)
            o->rate = strtoull(value, NULL, 10);
        else if (strcmp(flag, "-lanes") == 0)
            r->hello.lanes = (uint8_t)atoi(value);
        else if (strcmp(flag, "-source") == 0)
            parse_mac(value, r->source);
        else if (strcmp(flag, "-destination") == 0)
            parse_mac(value, r->destination);
        else if (strcmp(flag, "-bystander") == 0 && addr_parse(value, 0, &r->bystander) == 0)
            continue;
        else if (strcmp(flag, "-claim-mac") == 0)
            parse_mac(value, r->hello.macs[0]);
        else if (strcmp(flag, "-claim-address") == 0)
            claim_address(&r->hello, value);
        else
            usage();
    }
    if (!o->keydir || !named || !o->control.port || !o->data.port || !o->lie || o->seconds > SECONDS_MAX ||
        !r->hello.lanes || r->hello.lanes > WIRE_DATA_LANES)
        usage();
}

/* Tells the lie until the time is over; returns how often. */
static uint64_t live(struct rogue *r, const struct options *o)
{
    uint64_t begin = clock_monotonic_us(), now = begin, told = 0;
    while (now - begin < o->seconds * USEC_PER_SEC) {
        if (!o->lie->is_deaf)
            puppet_serve(&r->puppet);
        if (o->lie->redials && !puppet_connected(&r->puppet) && !rogue_dial(r))
            usleep(REDIAL_US);
        uint64_t due = o->rate ? (now - begin) * o->rate / USEC_PER_SEC + 1 : told + TURN_MESSAGES;
        uint64_t turn = told + TURN_MESSAGES;
        while (told < due && told < turn) {
            unsigned once = o->lie->tell(r);
            told += once;
            if (!once)
                break;
        }
        if (told >= due || due < turn)
            usleep(PAUSE_US);
        now = clock_monotonic_us();
    }
    return told;
}

int main(int argc, char **argv)
{
    static struct rogue rogue;
    struct rogue *r = &rogue;
    struct options o = {.seconds = 5};
    signal(SIGPIPE, SIG_IGN);
    puppet_hello(&r->puppet, &r->hello);
    r->hello.receiver_index = r->hello.generation = 0; /* fresh ones for each connection */
    memcpy(r->source, r->hello.macs[0], sizeof(r->source));
    memset(r->destination, 0xff, sizeof(r->destination));
    secret_random(&r->random, sizeof(r->random));
    parse(argc, argv, &o, r);
    int err = puppet_open(&r->puppet, o.keydir, &o.id, &o.control, &o.data);
    if (err)
        die("cannot start", err);
    if (!rogue_dial(r)) {
        fprintf(stderr, "rogue: not admitted: %s\n", r->refusal[0] ? r->refusal : "the connection ended");
        return 1;
    }
    printf("connected\n");
    fflush(stdout);
    uint64_t told = live(r, &o);
    printf("{\"told\": %llu, \"dials\": %u, \"refused\": %u, \"steps\": %u}\n", (unsigned long long)told,
           r->dials, r->refused, r->puppet.steps);
    puppet_close(&r->puppet);
    return 0;
}
