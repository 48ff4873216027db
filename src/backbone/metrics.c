/* SPDX-License-Identifier: Apache-2.0 */
/* The Prometheus text format, version 0.0.4. */

#include "backbone/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const unsigned statuses[METRICS_STATUS_COUNT] = {200, 201, 400, 401, 403, 404,
                                                        405, 409, 413, 429, 500, 503};

static const char *const stun_names[METRICS_STUN_COUNT] = {
    [METRICS_STUN_ANSWERED] = "answered",
    [METRICS_STUN_MALFORMED] = "malformed",
    [METRICS_STUN_LIMITED] = "rate_limited",
    [METRICS_STUN_UNSENT] = "unsent",
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

static void format(const struct metrics *m, uint64_t nodes, FILE *f)
{
    head(f, "build_info", "gauge", "The version that runs; always 1.");
    fputs("shadowmesh_backbone_build_info{version=\"" SHADOWMESH_VERSION "\"} 1\n", f);
    single(f, "start_time_seconds", "gauge", "When this process started, in seconds since 1970.",
           m->started_s);
    single(f, "nodes", "gauge", "Registered nodes whose records have not expired.", nodes);
    single(f, "connections", "gauge", "Open HTTP connections.", m->connections);
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
    head(f, "stun_requests_total", "counter", "Datagrams on the reflection port by outcome.");
    for (size_t i = 0; i < METRICS_STUN_COUNT; i++)
        fprintf(f, "shadowmesh_backbone_stun_requests_total{outcome=\"%s\"} %" PRIu64 "\n", stun_names[i],
                (uint64_t)m->stun[i]);
}

char *metrics_format(const struct metrics *m, uint64_t nodes, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (!f)
        return NULL;
    format(m, nodes, f);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}
