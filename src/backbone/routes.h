/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The HTTP API, without HTTP's transport: a request in, an answer out. What needs no directory is answered by the HTTP
 * thread, the rest by the directory's (backbone/desk.h), now or later. docs/PROTOCOL.md §8.
 *
 *   GET  /health                 200 {"status":"ok"}
 *   GET  /v1/info                200 {"name":"shadowmesh-backbone","version":TEXT,"api":1,
 *                                     "instance":TEXT,"stun_port":N,"nodes":N,"backbones":[URL,…]}
 *   GET  /v1/challenge           200 {"challenge":"64 hex digits","expires_s":60}
 *   POST /v1/nodes               body {"record":BASE64,"signature":BASE64}, at most 32 KiB
 *                                201 {"id":ID,"seq":N,"expiry_s":N,"observed":"client's IP address"}
 *                                400 malformed, expired, or expiring more than an hour ahead
 *                                401 challenge unknown or expired
 *                                403 the key does not hash to the id, or the signature is wrong
 *                                409 {"error":TEXT,"seq":N}: seq is not above N, the stored one
 *                                503 no room for more nodes, or the store fails
 *   GET  /v1/nodes/ID            200 {"record":BASE64,"signature":BASE64,"linked":URL}, or 404
 *   GET  /v1/nodes               200 {"nodes":[{"id":ID,"name":TEXT,"seq":N,"expiry_s":N},…],"next":ID}:
 *                                public nodes
 *   GET  /v1/networks/NET/nodes  200 {"nodes":[{"record":BASE64,"signature":BASE64},…],"next":ID}:
 *                                members of NET
 *   GET  /v1/link                101 to a WebSocket: an uplink (§15), or a visit with ?visit=1; 426 when it is none for one
 *   GET  /metrics                200, Prometheus text
 *
 * Listings run in the order of ids and take ?after=ID and ?limit=N (1 to 100, 100 when absent). A page may be
 * shorter than limit, because its size is bounded too; "next", the value for the next `after`, is there if
 * and only if more follow. Every error is {"error":"one sentence"}; besides those above 404 no such path, 405
 * with Allow, 413 the body is too large, 429 with Retry-After over the rate, 500 out of memory. HEAD is
 * answered like GET. BASE64 is RFC 4648 §4, padded.
 *
 * Rates, per source address (IPv6: per /64): registrations 60 at once and one a second; everything else 100
 * at once and 50 a second, a page of a listing counting as ten; /health is free. Neighbourhoods (proto/admission/prefix.h)
 * have four and sixteen times as much. */

#include "backbone/answer.h"
#include "backbone/directory.h"
#include "backbone/metrics.h"
#include "base/err.h"
#include <stdint.h>

#define ROUTES_BODY_MAX 32768

struct cluster;
struct route;
struct routes;

/* All is borrowed while the routes live. */
struct routes_config {
    struct directory *directory;
    struct metrics *metrics;
    struct cluster *cluster; /* NULL: the store is not shared */
    uint16_t stun_port;
};

int routes_new(const struct routes_config *config, struct routes **out) must_check;

/* NULL is allowed. */
void routes_free(struct routes *r);

/* A request and its answer. The caller's, with what they point to, until done was called. */
struct order {
    struct request request;
    struct response answer;
    answer_done *done; /* by routes_ask */
    void *context;
    struct routes *routes; /* the rest is the routes' */
    const struct route *route;
    void *detail;
};

/* HTTP thread. Answers, counts the answer, and returns true; or false: the directory has to be asked. */
bool routes_answer(struct routes *r, struct order *o) must_check;
/* The directory's thread, after that. Answers, counts the answer, and calls done, now or later. */
void routes_ask(struct order *o);
/* Instead of it: 503. */
void routes_answer_busy(struct order *o);

/* The answer to a body that is over ROUTES_BODY_MAX and was not read. */
void routes_answer_too_large(struct routes *r, struct response *out);

/* The answer to a request whose headers are malformed: 400, with why as its sentence. */
void routes_answer_malformed(struct routes *r, const char *why, struct response *out);
