/* SPDX-License-Identifier: Apache-2.0 */
/* Many peers of one node in one process, which do nothing but what keeps them connected: answer probes, and change keys when
 * told to. Each is a puppet with a key of its own, dialled from an address of its own.
 *
 *   crowd COUNT LANES ID HOST CONTROL_PORT UDP_PORT
 *
 * Says "connected" on standard output; a line on standard input makes all change keys at once, and "changed" tells when all
 * have. Ends with its standard input. */

#include "puppet.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SERVE_EVERY 16 /* of them that are dialled */
#define TURN_MS     5

struct crowd {
    struct puppet *peers;
    unsigned count, made;
};

static void serve(struct crowd *c)
{
    for (unsigned i = 0; i < c->made; i++)
        puppet_serve(&c->peers[i]);
}

/* From a /24 of its own, so that no limit for neighbours holds it up. */
static struct addr source_of(unsigned number)
{
    return (struct addr){.family = 4, .ip = {10, (uint8_t)(1 + (number >> 8)), (uint8_t)number, 1}};
}

static int join(struct crowd *c, uint8_t lanes, const struct node_id *id, const struct addr *control,
                const struct addr *data)
{
    struct puppet *p = &c->peers[c->made];
    const struct addr source = source_of(c->made);
    struct identity *me;
    struct hello hello;
    char refusal[MESSAGE_TEXT_MAX + 1];
    int err = identity_generate(&me);
    if (!err)
        err = puppet_open_as(p, me, id, control, data);
    if (err)
        return err;
    p->source = source;
    puppet_hello(p, &hello);
    hello.lanes = lanes;
    hello.macs[0][4] = (uint8_t)(c->made >> 8);
    hello.macs[0][5] = (uint8_t)c->made;
    err = puppet_dial(p, &hello, refusal);
    if (err)
        fprintf(stderr, "peer %u: %s %s\n", c->made, err_str(err), refusal);
    c->made++;
    return err;
}

static void change_keys(struct crowd *c)
{
    unsigned left = c->count;
    unsigned *before = calloc(c->count, sizeof(*before));
    if (!before)
        abort();
    for (unsigned i = 0; i < c->count; i++)
        before[i] = c->peers[i].steps;
    while (left > 0) {
        left = 0;
        for (unsigned i = 0; i < c->count; i++) {
            if (c->peers[i].steps != before[i])
                continue;
            left++;
            puppet_offer(&c->peers[i]);
        }
        serve(c);
    }
    free(before);
}

static bool told_to(int timeout_ms, bool *ended)
{
    char line[64];
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&in, 1, timeout_ms) <= 0)
        return false;
    *ended = read(STDIN_FILENO, line, sizeof(line)) <= 0;
    return !*ended;
}

static bool read_address(const char *host, const char *port, struct addr *out)
{
    char text[64];
    snprintf(text, sizeof(text), "%s:%s", host, port);
    return addr_parse(text, 0, out) == 0;
}

int main(int argc, char **argv)
{
    struct addr control, data;
    struct node_id id;
    struct crowd c = {0};
    bool ended = false;
    if (argc != 7 || id_parse(argv[3], &id) || !read_address(argv[4], argv[5], &control) ||
        !read_address(argv[4], argv[6], &data)) {
        fprintf(stderr, "usage: crowd COUNT LANES ID HOST CONTROL_PORT UDP_PORT\n");
        return 2;
    }
    c.count = (unsigned)atoi(argv[1]);
    c.peers = calloc(c.count, sizeof(*c.peers));
    const struct rlimit files = {.rlim_cur = 3 * c.count + 64, .rlim_max = 3 * c.count + 64};
    if (!c.peers || setrlimit(RLIMIT_NOFILE, &files))
        return 1;
    while (c.made < c.count) {
        if (join(&c, (uint8_t)atoi(argv[2]), &id, &control, &data))
            return 1;
        if (c.made % SERVE_EVERY == 0)
            serve(&c);
    }
    printf("connected\n");
    fflush(stdout);
    while (!ended) {
        if (told_to(TURN_MS, &ended)) {
            change_keys(&c);
            printf("changed\n");
            fflush(stdout);
        }
        serve(&c);
    }
    return 0;
}
