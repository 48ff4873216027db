/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node's side of the backbone's HTTP API, one blocking call each: what is sent, and what of an answer is
 * believed. docs/PROTOCOL.md §8. A client belongs to one thread at a time, usually one of libuv's pool. */

#include "base/addr.h"
#include "base/err.h"
#include "base/id.h"
#include "crypto/identity.h"
#include "node/helper/helper_message.h"
#include "node/rendezvous/http_client.h"
#include "proto/message/record.h"
#include <stdbool.h>
#include <stdint.h>

#define BACKBONE_RECORD_LIFETIME_S 600
#define BACKBONE_CLOCK_SKEW_S      3600 /* a record that expired longer ago is ignored */

struct backbone_client {
    struct http_client *http;
    char url[512];
    /* From the answers: */
    char cause[HTTP_CAUSE_MAX]; /* of any verdict but OK: one phrase */
    struct addr udp;            /* where it answers STUN requests */
    char instance[65];          /* names the running process, when the backbone tells it */
    char registered[65];        /* the instance that we registered with */
    uint64_t last_seq;          /* of our record */
};

/* url is copied. */
int backbone_client_init(struct backbone_client *c, const char *url) must_check;
void backbone_client_fini(struct backbone_client *c);

/* Finds out udp and instance. */
enum backbone_verdict backbone_client_info(struct backbone_client *c) must_check;

/* Signs record, described by the caller, with a fresh challenge, sequence number and expiry, and registers
 * it. */
enum backbone_verdict backbone_client_register(struct backbone_client *c, struct record *record,
                                               const struct identity *me) must_check;

/* Fetches and verifies id's record. */
enum backbone_verdict backbone_client_lookup(struct backbone_client *c, const struct node_id *id,
                                             struct record *out) must_check;
