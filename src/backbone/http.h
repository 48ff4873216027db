/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* HTTP/1.1 by libmicrohttpd, on a thread of its own, with connections from another one (arrivals.h): bounds on connections, sizes and times; what is said is
 * the routes' (backbone/routes.h). While the desk has a request, its connection is suspended. */

#include "backbone/desk.h"
#include "backbone/forwarded.h"
#include "backbone/metrics.h"
#include "backbone/routes.h"
#include "backbone/uplinks.h"
#include "base/err.h"

#define HTTP_CONNECTIONS_MAX 1000 /* served at once */
#define HTTP_LEAVING_MAX     256  /* besides: shut down, and not yet closed by libmicrohttpd */
#define HTTP_PER_SOURCE_MAX  64   /* of one source; its neighbourhoods have four and sixteen times as many */
#define HTTP_IDLE_S          30   /* without a byte */
#define HTTP_REQUEST_S       40   /* from a connection's begin, or the last answer, to the end of an answer */

struct http;

/* What it serves with; all is borrowed while it runs. */
struct http_with {
    struct routes *routes;
    struct desk *desk;
    struct uplinks *uplinks; /* gets what became a WebSocket */
    const struct forwarded_proxies *proxies;
    struct metrics *metrics;
};

/* Serves on tcp, a listening socket, which it takes: it is closed when the server stops. */
int http_start(int tcp, const struct http_with *with, struct http **out) must_check;

/* Ends the thread and closes every connection. The desk is closed by then, and its store: no request waits for them.
 * NULL is allowed. */
void http_stop(struct http *h);

/* Cuts connections that have exceeded HTTP_REQUEST_S; called about once a second from the main thread. */
void http_cut_slow(struct http *h, uint64_t now_us);
