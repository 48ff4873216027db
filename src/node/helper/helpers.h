/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The helper processes of a node: what they are, and their start. docs/ARCHITECTURE.md, "Processes". */

#include "base/err.h"
#include "node/helper/helper_message.h"
#include "node/helper/resolver_helper.h"
#include "node/helper/uplink_helper.h"
#include "proto/path/endpoint.h"
#include <stdbool.h>

/* What they do, for the log. */
#define HELPERS_NAMES    "name look-ups"
#define HELPERS_BACKBONE "backbone"
#define HELPERS_PORTMAP  "port mappings"

#define HELPERS_NONE                                                                                         \
    (struct helpers)                                                                                         \
    {                                                                                                        \
        .names = -1, .backbone = -1, .portmap = -1, .doors = -1, .resolver = -1                              \
    }

/* The node's ends of their channels; -1 where there is none. */
struct helpers {
    int names, backbone, portmap; /* the second for all backbones */
    int doors;
    int resolver; /* of the one that keeps our rights */
    unsigned uplink_count;
    struct uplink_ends uplinks[UPLINKS_MAX]; /* of each backbone's */
};

struct helper_job;

struct helpers_config {
    bool caged;
    unsigned count; /* of backbones, UPLINKS_MAX at most; 0: no helper for them */
    struct {
        const char *url;           /* empty: a place for visits */
        const struct proxy *proxy; /* by which it is reached; NULL, or with an empty URL: none */
    } backbones[UPLINKS_MAX];
    bool portmap; /* the router is asked to map these ports */
    uint16_t port, control_port;
    const struct helper_job *doors;         /* that serves them, but for its channel; NULL: there is none */
    const int *kept;                        /* descriptors that no helper may keep, 4 at most … */
    unsigned kept_count;                    /* … so many */
    struct resolver_helper_config resolver; /* mode RESOLVER_OFF: there is none */
    unsigned workers;                       /* that uplinks bring datagrams to, UPLINK_WORKERS_MAX at most */
};

/* Starts them. Before this process makes a thread, reads a key or opens what they should not have. ERR_IO with errno
 * set: then none runs. */
int helpers_start(const struct helpers_config *config, struct helpers *out) must_check;

/* Waits until those for names and the backbone have started, for half a minute at most, and no longer than until the descriptor stop is readable (-1:
 * none). Else title is what the one does that has not, and why says the cause, for people. Any error of
 * helper_channel_receive. Before their channels have clients. */
int helpers_wait(const struct helpers *h, int stop, const char **title, char why[HELPER_TEXT_MAX]) must_check;

/* Closes what nobody has taken; each helper ends by it. */
void helpers_close(struct helpers *h);
