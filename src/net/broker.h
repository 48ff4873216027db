/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A process that has a user and a network namespace of its own (user_namespaces(7), network_namespaces(7)), so that an
 * ordinary user can have a TAP. It makes the TAP there and hands its queues out. Namespaces are the user's who made
 * them: what was opened inside serves outside, too, without any capability. Afterwards it has none itself, and knows one
 * question: for a socket of the internet in there. */

#include "base/err.h"
#include "net/tap.h"
#include <stdbool.h>
#include <sys/types.h>

struct broker_config {
    const char *tap; /* its name; NULL: the first free one */
    unsigned queues;
    bool caged;
    const char *title; /* for ps(1), as process_title takes it */
    int also; /* an end of a SOCK_SEQPACKET pair on which another process asks, as broker_socket does; -1: nobody. Borrowed */
    enum tap_layer layer;
};

/* What has to be made, in this order. */
enum broker_step {
    BROKER_PROCESS,
    BROKER_USER_NAMESPACE,
    BROKER_NETWORK_NAMESPACE,
    BROKER_USER, /* who we are in the first */
    BROKER_LOOPBACK,
    BROKER_TAP,
    BROKER_CAGE,
    BROKER_MADE,
};

/* What could not be: err, and the errno with it. */
struct broker_trouble {
    enum broker_step step;
    int err, number;
};

/* The caller's; descriptors are -1 where they were taken or never were. */
struct broker {
    pid_t pid;
    int channel; /* it ends when this does, or its parent; readable: it is gone */
    struct tap tap;
    int rtnl, monitor; /* as rtnl_open_on takes it, and as rtnl_monitor_open opens it: of inside */
};

#define BROKER_NONE                                                                                          \
    (struct broker)                                                                                          \
    {                                                                                                        \
        .channel = -1, .rtnl = -1, .monitor = -1                                                             \
    }

/* Forks it, and waits until all is there: 10 s at most, then it is ended. Before the process makes a thread or has a
 * key, and behind those of its processes that are not to have the queues. Any error; trouble says which. The broker is
 * open to others of its user, as nothing of it is secret: /proc/PID/ns leads into its namespaces. */
int broker_start(const struct broker_config *config, struct broker *out,
                 struct broker_trouble *trouble) must_check;

/* A socket of that family (4, 6) and type (SOCK_STREAM, SOCK_DGRAM) inside, for the caller: close-on-exec. Asked for by the
 * broker's channel, or by the other end of also. Waits for it, a second at most. ERR_ARGUMENT, ERR_CLOSED when the broker
 * is gone, ERR_AGAIN, ERR_IO with errno set. One thread of one process asks by a channel. */
int broker_socket(int channel, unsigned family, int type, int *out) must_check;

/* Whether a channel that is readable says that the broker is gone. */
bool broker_gone(int channel);

/* What nobody has taken; the broker ends by it. */
void broker_close(struct broker *b);
