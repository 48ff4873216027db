/* SPDX-License-Identifier: Apache-2.0 */
/* The Prometheus text format, version 0.0.4. */

#include "backbone/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const unsigned statuses[METRICS_STATUS_COUNT] = {101, 200, 201, 400, 401, 403, 404,
                                                        405, 409, 413, 426, 429, 500, 503};

static const char *const stun_names[METRICS_STUN_COUNT] = {
    [METRICS_STUN_ANSWERED] = "answered",
    [METRICS_STUN_MALFORMED] = "malformed",
    [METRICS_STUN_LIMITED] = "rate_limited",
    [METRICS_STUN_UNSENT] = "unsent",
};

static const char *const datagram_names[UPLINK_DATAGRAMS_COUNT] = {
    [UPLINK_DATAGRAMS_RELAYED] = "relayed",
    [UPLINK_DATAGRAMS_UNPAIRED] = "unpaired",
    [UPLINK_DATAGRAMS_SOURCE_RATE] = "source_rate",
    [UPLINK_DATAGRAMS_RELAY_RATE] = "relay_rate",
    [UPLINK_DATAGRAMS_QUEUE] = "queue",
};

static const char *const ended_names[UPLINK_ENDED_COUNT] = {
    [UPLINK_ENDED_LEFT] = "left",         [UPLINK_ENDED_MALFORMED] = "malformed",
    [UPLINK_ENDED_UNPROVEN] = "unproven", [UPLINK_ENDED_REPLACED] = "replaced",
    [UPLINK_ENDED_FULL] = "full",         [UPLINK_ENDED_SLOW] = "slow",
    [UPLINK_ENDED_SILENT] = "silent",     [UPLINK_ENDED_RESTARTING] = "restarting",
};

static const char *const open_names[UPLINK_END_LOST + 1] = {
    [UPLINK_END_DONE] = "opened",       [UPLINK_END_ABSENT] = "absent", [UPLINK_END_REFUSED] = "refused",
    [UPLINK_END_TOO_MANY] = "too_many", [UPLINK_END_RULES] = "rules",   [UPLINK_END_LOST] = "lost",
};

static const char *const relay_names[RELAY_OUTCOMES] = {
    [RELAY_PASS] = "relayed",        [RELAY_ANSWER] = "answered",         [RELAY_MALFORMED] = "malformed",
    [RELAY_NESTED] = "nested",       [RELAY_UNKNOWN] = "unknown_channel", [RELAY_SOURCE] = "source",
    [RELAY_UNBOUND] = "unbound",     [RELAY_FORGED] = "forged",           [RELAY_REPLAYED] = "replayed",
    [RELAY_SHARE] = "share",         [RELAY_SOURCE_RATE] = "source_rate", [RELAY_RATE] = "relay_rate",
    [RELAY_BIND_RATE] = "bind_rate", [RELAY_OUTCOME_UNSENT] = "unsent",
};

static const char *const store_names[STORE_REQUESTS] = {
    [STORE_REQUEST_ANSWERED] = "answered",
    [STORE_REQUEST_REFUSED] = "refused",
    [STORE_REQUEST_LOST] = "lost",
    [STORE_REQUEST_MALFORMED] = "malformed",
};

void metrics_answer(struct metrics *m, unsigned status)
{
    for (size_t i = 0; i < METRICS_STATUS_COUNT; i++)
        if (statuses[i] == status)
            metrics_add(&m->answers[i]);
}

static void head(FILE *f, const char *name, const char *type, const char *text)
{
    fprintf(f, "# HELP shadowmesh_backbone_%s %s\n# TYPE shadowmesh_backbone_%s %s\n", name, text, name,
            type);
}

static void single(FILE *f, const char *name, const char *type, const char *text, uint64_t value)
{
    head(f, name, type, text);
    fprintf(f, "shadowmesh_backbone_%s %" PRIu64 "\n", name, value);
}

static void by_outcome(FILE *f, const char *name, const char *text, const char *const *names,
                       const _Atomic uint64_t *values, size_t count)
{
    head(f, name, "counter", text);
    for (size_t i = 0; i < count; i++)
        fprintf(f, "shadowmesh_backbone_%s{outcome=\"%s\"} %" PRIu64 "\n", name, names[i],
                (uint64_t)values[i]);
}

static void format_uplinks(const struct uplink_metrics *u, FILE *f)
{
    single(f, "uplinks", "gauge", "Nodes that keep a proven uplink.", u->proven);
    single(f, "uplink_streams", "gauge", "Streams between two uplinks.", u->streams);
    single(f, "uplink_pairs", "gauge", "Pairs of nodes that take each other's datagrams.", u->pairs);
    single(f, "uplink_proofs_total", "counter", "Signatures of uplinks looked at.", u->verified);
    by_outcome(f, "uplinks_ended_total", "Uplinks that ended, by reason.", ended_names, u->ended,
               UPLINK_ENDED_COUNT);
    by_outcome(f, "uplink_opens_total", "Streams asked for, by outcome.", open_names, u->opens,
               UPLINK_END_LOST + 1);
    single(f, "uplink_stream_bytes_total", "counter", "Bytes passed on in streams.", u->stream_bytes);
    by_outcome(f, "uplink_datagrams_total", "Datagrams from uplinks by outcome.", datagram_names,
               u->datagrams, UPLINK_DATAGRAMS_COUNT);
    single(f, "uplink_datagram_bytes_total", "counter", "Bytes of datagrams sent to their receivers.",
           u->datagram_bytes);
}

static void format_relay(const struct relay_metrics *r, FILE *f)
{
    single(f, "relay_channels", "gauge", "Pairs of nodes with a channel of the relay.", r->channels);
    single(f, "relay_channels_granted_total", "counter", "Channels given out.", r->granted);
    single(f, "relay_channels_refused_total", "counter", "Channels refused, since there were too many.",
           r->refused);
    single(f, "relay_channels_expired_total", "counter",
           "Channels that were not bound, or silent, for too long.", r->expired);
    single(f, "relay_bound_total", "counter", "Ends of channels that showed a new address.", r->bound);
    by_outcome(f, "relay_datagrams_total", "Datagrams at the relay by outcome.", relay_names, r->datagrams,
               RELAY_OUTCOMES);
    single(f, "relay_bytes_total", "counter", "Bytes passed on by the relay.", r->bytes);
    single(f, "relay_trains_total", "counter", "Calls in which they were.", r->trains);
    single(f, "relay_overflows_total", "counter", "Datagrams that the relay's socket had no room for.",
           r->overflows);
}

static void format_store(const struct store_metrics *s, FILE *f)
{
    single(f, "store_up", "gauge", "Whether the shared store is connected.", s->up);
    single(f, "store_instances", "gauge", "Backbones that share it and live.", s->instances);
    single(f, "store_connections_lost_total", "counter", "Connections to it that were lost.", s->lost);
    by_outcome(f, "store_requests_total", "Requests to it by outcome.", store_names, s->requests,
               STORE_REQUESTS);
}

static void format(const struct metrics *m, uint64_t nodes, FILE *f)
{
    head(f, "build_info", "gauge", "The version that runs; always 1.");
    fputs("shadowmesh_backbone_build_info{version=\"" SHADOWMESH_VERSION "\"} 1\n", f);
    single(f, "start_time_seconds", "gauge", "When this process started, in seconds since 1970.",
           m->started_s);
    single(f, "nodes", "gauge", "Registered nodes whose records have not expired.", nodes);
    single(f, "connections", "gauge", "Open HTTP connections.", m->connections);
    single(f, "connections_refused_total", "counter",
           "Connections of trusted proxies closed for a PROXY header that is malformed or incomplete, or for "
           "want of room.",
           m->refused);
    single(f, "connections_pushed_total", "counter",
           "Connections closed to make room for one from a less crowded network.", m->pushed);
    single(f, "connections_cut_total", "counter", "Connections closed because a request took too long.",
           m->cut);
    single(f, "registrations_total", "counter", "Records accepted.", m->registrations);
    single(f, "lookups_total", "counter", "Records handed out by id.", m->lookups);
    head(f, "http_answers_total", "counter", "HTTP answers by status.");
    for (size_t i = 0; i < METRICS_STATUS_COUNT; i++)
        fprintf(f, "shadowmesh_backbone_http_answers_total{code=\"%u\"} %" PRIu64 "\n", statuses[i],
                (uint64_t)m->answers[i]);
    by_outcome(f, "stun_requests_total", "Datagrams on the reflection port by outcome.", stun_names, m->stun,
               METRICS_STUN_COUNT);
    format_uplinks(&m->uplinks, f);
    format_relay(&m->relay, f);
}

char *metrics_format(const struct metrics *m, uint64_t nodes, bool is_shared, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (!f)
        return NULL;
    format(m, nodes, f);
    if (is_shared)
        format_store(&m->store, f);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}
