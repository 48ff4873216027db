/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whoever asks STUN servers by sockets other than the data port's: two fresh ones, and an inquiry (proto/nat/nat_check.h) of
 * each family on them. Control thread. */

#include "base/err.h"
#include "net/rtnl.h"
#include "net/udp.h"
#include "proto/nat/nat_check.h"
#include <uv.h>

#define NETCHECK_LOCAL_MAX 64

struct netcheck_udp {
    struct nat_check checks[2]; /* IPv4, IPv6 */
    struct udp_socket sockets[2];
    uv_poll_t polls[2];
    uv_timer_t timer;
    struct udp_batch *batch;
    struct rtnl_address local[NETCHECK_LOCAL_MAX]; /* this machine's addresses, for each that fits */
    size_t local_count;
    /* Something came, or time passed: nothing more may be open. While it closes: all is closed. */
    void (*progress)(void *context);
    void *context;
    unsigned handles; /* that are being closed */
};

/* Opens them. On an error nothing is open: ERR_NOMEM, ERR_IO (errno). */
int netcheck_udp_open(struct netcheck_udp *u, uv_loop_t *loop, void (*progress)(void *context),
                      void *context) must_check;

/* Asks this server, too. */
void netcheck_udp_add(struct netcheck_udp *u, const struct addr *server);

/* Asks this server alone how it sees one of the sockets. False: the socket was asked before. */
bool netcheck_udp_look(struct netcheck_udp *u, enum nat_check_socket socket, const struct addr *server);

/* How it is seen by a server of that family; NULL: there is no answer. Borrowed. */
const struct addr *netcheck_udp_seen(const struct netcheck_udp *u, enum nat_check_socket socket,
                                     unsigned family);

/* True when every question is answered or given up. */
bool netcheck_udp_is_over(const struct netcheck_udp *u);

/* What was found out of a family, so far. */
void netcheck_udp_judge(const struct netcheck_udp *u, unsigned family, struct nat *out);

/* Whether this machine has an address of that family that others may reach: no loopback, link-local … */
bool netcheck_udp_has_address(const struct netcheck_udp *u, unsigned family);

/* One of the sockets is the caller's from now on, who calls netcheck_udp_close next. */
struct udp_socket netcheck_udp_take(struct netcheck_udp *u, enum nat_check_socket socket);

/* Closes all; the memory is free once the loop has closed polls and timer: closed is called then, with the context of before. */
void netcheck_udp_close(struct netcheck_udp *u, void (*closed)(void *context));
