/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The one way out for datagrams, the workers' and the control thread's: an endpoint (proto/path/endpoint.h) in the form of
 * what carries to it, made once, and sending to it. UDP carries. Making is the control thread's; sending is safe from any
 * thread. */

#include "base/err.h"
#include "net/udp.h"
#include "proto/path/endpoint.h"
#include <stddef.h>
#include <stdint.h>

struct carrier_remote {
    struct udp_remote udp;
    uint8_t envelope; /* bytes in front of each datagram that are the carrier's to write; UDP needs none */
};

/* ERR_UNSUPPORTED when nothing carries there. */
int carrier_remote_init(const struct udp_socket *s, const struct endpoint *e,
                        struct carrier_remote *out) must_check;

/* As udp_send, for a first datagram and those behind it. The bytes in front of each are its envelope's: len and segment
 * count them. */
int carrier_send(struct udp_socket *s, const struct carrier_remote *to, uint8_t *first, size_t len,
                 size_t segment, uint8_t ecn) must_check;

/* One datagram, of len bytes without the envelope. ENDPOINT_ENVELOPE_MAX bytes in front of it are free. ERR_UNSUPPORTED
 * besides what udp_send says. */
int carrier_send_one(struct udp_socket *s, const struct endpoint *to, uint8_t *datagram,
                     size_t len) must_check;

/* Where what was received came from, and to. */
struct endpoint carrier_source(const struct udp_message *m);
