/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The relay's thread: datagrams between two nodes over UDP, whole trains as they come (docs/PROTOCOL.md §17). Its desk
 * (proto/relay/relay_desk.h) is shared with the uplink thread, which gives channels out. */

#include "backbone/metrics.h"
#include "base/err.h"
#include "net/udp.h"
#include "proto/relay/relay_desk.h"

struct byte_rates;
struct relay_server;

struct relay_server_config {
    struct udp_socket *socket; /* borrowed, as what follows */
    unsigned relay_mbit;
    struct byte_rates *rates;
    struct relay_metrics *metrics;
};

int relay_server_start(const struct relay_server_config *config, struct relay_server **out) must_check;

/* Its UDP port. */
uint16_t relay_server_port(const struct relay_server *s);

/* A channel for two nodes: errors as relay_open. Any thread, as the next. */
int relay_server_open(struct relay_server *s, const struct node_id ends[2], uint64_t now_us,
                      struct relay_grant *out) must_check;
void relay_server_close(struct relay_server *s, const struct node_id ends[2], uint64_t now_us);

/* Ends the thread. NULL is allowed. */
void relay_server_stop(struct relay_server *s);
