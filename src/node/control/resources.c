/* SPDX-License-Identifier: Apache-2.0 */
/* Threads take addresses, peers take descriptors. */

#include "node/control/resources.h"

#include "base/log.h"
#include "net/process.h"
#include "node/carrier/handshake_pool.h"
#include "node/data/worker.h"
#include "node/doors/doors_process.h"
#include "node/doors/places.h"
#include "proto/mesh/mesh.h"
#include "proto/punch/birthday.h"
#include <sched.h>

#define FILES_BIRTHDAY (BIRTHDAY_SOCKETS + SIDES_MAX)
#define FILES_OWN                                                                                            \
    (512 +                                                                                                   \
     FILES_BIRTHDAY) /* the lobby, half-open connections, queues, sockets, callers of the API, the backbone */
#define FILES_PER_PEER 2                  /* its connection, and the one that replaces it, or a trunk */
#define ROOM_OWN       ((size_t)32 << 20) /* of addresses, what a node takes; each worker … */
#define ROOM_WORKER    ((size_t)6 << 20)
#define THREADS_OTHER                                                                                        \
    (2 + HANDSHAKE_POOL_THREADS) /* … beside those of threads: the log's, the trunks', libuv's pool */

/* A CPU may be online and not ours. */
static unsigned bulk_workers(const struct config *config)
{
    cpu_set_t cpus;
    if (config->workers)
        return config->workers;
    int count = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return count < WORKER_BULK_MAX ? (unsigned)count : WORKER_BULK_MAX;
}

unsigned resources_workers(const struct config *config)
{
    return config->tun_fd ? 1 : bulk_workers(config) + 1; /* a descriptor is one queue */
}

bool resources_room(const struct config *config)
{
    unsigned workers = config->generate_keys ? 0 : resources_workers(config);
    unsigned threads = config->generate_keys ? 0 : workers + THREADS_OTHER;
    size_t bytes = ROOM_OWN + workers * ROOM_WORKER + threads * process_thread_bytes();
    if (process_has_room(bytes))
        return true;
    log_error("out of memory: %zu MB more are needed, for %u worker%s; raise `ulimit -v`, or LimitAS= of the "
              "service%s",
              bytes >> 20, workers, workers == 1 ? "" : "s", workers > 1 ? ", or give fewer -workers" : "");
    return false;
}

/* Each peer's control connection is a descriptor. */
unsigned resources_peers(void)
{
    unsigned files = process_raise_files(FILES_OWN + MESH_PEERS_MAX * FILES_PER_PEER);
    unsigned fit = files > FILES_OWN + FILES_PER_PEER ? (files - FILES_OWN) / FILES_PER_PEER : 1;
    if (fit >= MESH_PEERS_MAX)
        return MESH_PEERS_MAX;
    log_warn("only %u files may be open: at most %u peers instead of %d; `ulimit -Hn %u`, or LimitNOFILE= of "
             "the service, allows all",
             files, fit, MESH_PEERS_MAX, FILES_OWN + MESH_PEERS_MAX * FILES_PER_PEER);
    return fit;
}

unsigned resources_doors(void)
{
    const unsigned wanted = DOORS_PROCESS_FILES_OWN + PLACES_MAX * DOORS_PROCESS_FILES_EACH;
    unsigned files = process_raise_files(wanted);
    if (files >= wanted)
        return PLACES_MAX;
    unsigned fit = files > DOORS_PROCESS_FILES_OWN + DOORS_PROCESS_FILES_EACH
                       ? (files - DOORS_PROCESS_FILES_OWN) / DOORS_PROCESS_FILES_EACH
                       : 1;
    log_warn("only %u files may be open: doors have at most %u connections at once instead of %d; `ulimit "
             "-Hn %u`, "
             "or LimitNOFILE= of the service, allows all",
             files, fit, PLACES_MAX, wanted);
    return fit;
}
