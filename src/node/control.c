/* SPDX-License-Identifier: Apache-2.0 */
/* The loop and its events: streams, worker events, timers, signals and interface changes go into the mesh; what it
 * asks for is done in node_ops.c. Start and stop. docs/ARCHITECTURE.md, "Control". */

#include "node/control.h"

#include "base/clock.h"
#include "base/vault.h"
#include "crypto/aead.h"
#include "crypto/secret.h"
#include "net/process.h"
#include "node/cage.h"
#include "node/data/intake.h"
#include "node/keydir.h"
#include "node/node.h"
#include "node/snapshot.h"
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_MS    1000
#define STOP_MS    1300 /* for what waits for others, at the end */
#define EVENTS_MAX 64   /* of a worker in one turn of the loop: timers, streams and callers get theirs */
#define TRIM_US    (5 * USEC_PER_SEC)
#define FILES_OWN                                                                                            \
    512 /* the lobby, half-open connections, queues, sockets, callers of the API, the backbone */
#define FILES_PER_PEER 2                  /* its connection, and the one that replaces it */
#define ROOM_OWN       ((size_t)32 << 20) /* of addresses, what a node takes; each worker … */
#define ROOM_WORKER    ((size_t)6 << 20)
#define THREADS_OTHER  5 /* … beside those of threads: the log's, libuv's pool */

static_assert(INTAKE_PEERS == MESH_PEERS_MAX, "each peer has a share of the queue");
static_assert(CONFIG_WORKERS_MAX == WORKER_MAX && WORKER_MAX <= TAP_QUEUES_MAX &&
                  WORKER_MAX <= WIRE_DATA_LANES,
              "each worker has a queue and a lane");

/* ---- events ---- */

static void on_describe(void *context, struct record *record)
{
    addresses_describe(&((struct node *)context)->addresses, record);
}

static void on_record(void *context, const struct record *record)
{
    struct node *n = context;
    mesh_set_record(n->mesh, &record->id, record->name, record->candidates, record->candidate_count,
                    clock_monotonic_us());
}

static void on_missing(void *context, const struct node_id *id, const char *why)
{
    mesh_set_missing(((struct node *)context)->mesh, id, why);
}

static void on_clock(void *context, int64_t ahead_s)
{
    report_clock(&((struct node *)context)->report, ahead_s);
}

static void on_backbone(void *context, bool reachable, const struct addr *udp)
{
    struct node *n = context;
    if (reachable)
        addresses_ask_at(&n->addresses, udp, clock_monotonic_us());
}

static uint64_t on_accepted(void *context, const struct target *from)
{
    struct node *n = context;
    uint64_t conn = mesh_on_accept(n->mesh, from, clock_monotonic_us());
    n->drops[DROP_STRANGER] += conn == 0;
    return conn;
}

static void on_connected(void *context, uint64_t conn)
{
    mesh_on_connected(((struct node *)context)->mesh, conn, clock_monotonic_us());
}

static void on_bytes(void *context, uint64_t conn, const uint8_t *data, size_t len)
{
    mesh_on_bytes(((struct node *)context)->mesh, conn, data, len, clock_monotonic_us());
}

static void on_closed(void *context, uint64_t conn, const char *reason)
{
    mesh_on_closed(((struct node *)context)->mesh, conn, reason, clock_monotonic_us());
}

/* Every worker notices it. */
static void on_device_gone(struct node *n)
{
    if (!n->device_gone)
        log_warn("device %s was removed: stopping", device_tap(n->device)->name);
    n->device_gone = true;
    uv_stop(&n->loop);
}

static void on_worker_event(void *context, const struct worker_event *e)
{
    struct node *n = context;
    uint64_t now_us = clock_monotonic_us();
    switch (e->kind) {
    case WORKER_EVENT_DATAGRAM:
        if (e->slot == WORKER_NO_PEER)
            n->drops[addresses_on_stun(&n->addresses, &e->from.remote, e->data, e->len, now_us)]++;
        else
            n->drops[mesh_on_opened(n->mesh, e->slot, &e->from, e->data, e->len, now_us)]++;
        break;
    case WORKER_EVENT_SOURCE:
        mesh_on_source(n->mesh, e->slot, &e->from, now_us);
        break;
    case WORKER_EVENT_TOO_BIG:
        mesh_on_too_big(n->mesh, e->slot, now_us);
        break;
    case WORKER_EVENT_CLAIM:
        report_claim(&n->report, e);
        break;
    case WORKER_EVENT_CIRCLE:
        report_circle(&n->report, device_tap(n->device)->name);
        break;
    case WORKER_EVENT_TRACE:
        frame_log_tell(&n->frame_log, &e->trace);
        break;
    case WORKER_EVENT_DEVICE_GONE:
        on_device_gone(n);
        break;
    }
}

static void on_wake(uv_async_t *handle)
{
    struct node *n = handle->data;
    if (workers_take_events(&n->workers, EVENTS_MAX, on_worker_event, n))
        uv_async_send(&n->wake);
}

static void wake(void *context)
{
    uv_async_send(&((struct node *)context)->wake);
}

static void on_timer(uv_timer_t *timer)
{
    mesh_tick(((struct node *)timer->data)->mesh, clock_monotonic_us());
}

/* Most of the resident pages after a start are libraries' code that ran once: self-tests, handshakes. */
static void trim_once(struct node *n, uint64_t now_us)
{
    if (n->trimmed || now_us - n->started_us < TRIM_US)
        return;
    n->trimmed = true;
    process_trim();
}

static void tell_unlocked(struct node *n)
{
    struct vault_stats keys;
    vault_stats(&keys);
    if (n->unlocked_told || !keys.unlocked)
        return;
    n->unlocked_told = true;
    log_warn("%zu kB of memory with keys may not be locked, so swap may hold them: allow it with `ulimit -Hl "
             "unlimited`, or LimitMEMLOCK=infinity of the service",
             keys.unlocked / 1000);
}

static void on_slow(uv_timer_t *timer)
{
    struct node *n = timer->data;
    uint64_t now_us = clock_monotonic_us();
    workers_tick(&n->workers, device_mac(n->device), now_us);
    addresses_tick(&n->addresses, now_us);
    pings_tick(&n->pings, now_us);
    hosts_tick(&n->hosts);
    device_tick(n->device);
    trim_once(n, now_us);
    tell_unlocked(n);
    if (n->config->profile)
        workers_profile_log(&n->workers);
}

/* After every round of events: what the mesh wants done, workers' tables, then the mesh's next deadline. */
static void on_settle(uv_prepare_t *handle)
{
    struct node *n = handle->data;
    node_do_outputs(n);
    tables_publish(&n->tables);
    uint64_t now_us = clock_monotonic_us();
    uint64_t at_us = mesh_next_deadline(n->mesh, now_us);
    if (at_us == TIME_NEVER) {
        uv_timer_stop(&n->timer);
        return;
    }
    uint64_t wait_ms = at_us > now_us ? (at_us - now_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC : 0;
    uv_update_time(&n->loop);
    uv_timer_start(&n->timer, on_timer, wait_ms, 0);
}

static void on_monitor(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    struct node *n = handle->data;
    if (!device_on_change(n->device))
        return;
    struct addr_prefix overlay[MESSAGE_ADDRS_MAX];
    mesh_set_overlay(n->mesh, overlay, device_addresses(n->device, overlay, MESSAGE_ADDRS_MAX));
    addresses_on_change(&n->addresses, clock_monotonic_us());
    hosts_forget_failures(&n->hosts);
    streams_drop_homeless(n->streams);
    mesh_network_changed(n->mesh, device_underlay_max(n->device), clock_monotonic_us());
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct node *n = handle->data;
    log_info("SIG%s: stopping", sigabbrev_np(number));
    uv_stop(&n->loop);
}

/* ---- start and stop ---- */

/* A CPU may be online and not ours. */
static unsigned workers_wanted(const struct config *config)
{
    cpu_set_t cpus;
    if (config->workers)
        return config->workers;
    int count = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return count < WORKER_MAX ? (unsigned)count : WORKER_MAX;
}

/* Before anything is made: what has no room later on may be a thread of a library, which aborts. */
static bool has_room(const struct config *config)
{
    unsigned workers = config->generate_keys ? 0 : workers_wanted(config);
    unsigned threads = config->generate_keys ? 0 : workers + (config->backbone[0] ? THREADS_OTHER : 1);
    size_t bytes = ROOM_OWN + workers * ROOM_WORKER + threads * process_thread_bytes();
    if (process_has_room(bytes))
        return true;
    log_error("out of memory: %zu MB more are needed, for %u worker%s; raise `ulimit -v`, or LimitAS= of the "
              "service%s",
              bytes >> 20, workers, workers == 1 ? "" : "s", workers > 1 ? ", or give fewer -workers" : "");
    return false;
}

static bool start_helpers(struct node *n)
{
    const struct helpers_config config = {.caged = n->config->sandbox, .backbone = n->config->backbone};
    int err = helpers_start(&config, &n->helpers);
    if (err)
        log_error("cannot start the helper processes: %s", strerror(errno));
    return err == 0;
}

static bool say_id(const struct node_id *id)
{
    char hex[ID_TEXT_MAX];
    id_format(id, hex);
    if (printf("Peer ID: %s\n", hex) > 0 && fflush(stdout) == 0)
        return true;
    log_error("the peer id %s cannot be written to the standard output: %s", hex, strerror(errno));
    return false;
}

static bool load_identity(const struct config *config, struct identity **out, bool *made)
{
    if (keydir_load(config->keydir, out, made))
        return false;
    if (*made && config->generate_keys && keydir_keep(*out, config->keydir))
        return false;
    return say_id(identity_id(*out)) || !config->generate_keys;
}

static bool open_api(struct node *n)
{
    pid_t holder = 0;
    char id[ID_TEXT_MAX];
    const struct api_config config = {.loop = &n->loop,
                                      .run_dir = n->config->run_dir,
                                      .id = identity_id(n->identity),
                                      .handle = commands_handle,
                                      .context = &n->commands,
                                      .holder = &holder};
    int err = api_open(&config, &n->api);
    if (err == ERR_EXISTS)
        log_error("node %s runs already, as process %ld: stop it, or use another -keydir",
                  id_format(identity_id(n->identity), id), (long)holder);
    else if (err)
        log_error("cannot open the API socket in %s: %s; -run DIR moves it", n->config->run_dir,
                  strerror(errno));
    return err == 0;
}

static bool open_sockets(struct node *n)
{
    const struct streams_events events = {on_accepted, on_connected, on_bytes, on_closed, n};
    unsigned workers = workers_wanted(n->config);
    int err = udp_open(n->config->port, workers, n->sockets);
    if (err) {
        log_error("UDP port %u: %s", n->config->port,
                  err == ERR_BUSY ? "in use by another program; -port N takes another" : strerror(errno));
        return false;
    }
    n->socket_count = workers;
    err = streams_new(&n->loop, n->config->control_port, &events, &n->streams);
    if (err)
        log_error("TCP port %u: %s", n->config->control_port,
                  err == ERR_BUSY ? "in use by another program; -control-port N takes another"
                                  : strerror(errno));
    return err == 0;
}

/* A TAP that we attach to may have one queue only: then one worker serves it, with one socket. */
static bool open_device(struct node *n)
{
    if (device_open(n->config, identity_id(n->identity), n->socket_count, &n->device))
        return false;
    unsigned queues = device_tap(n->device)->queue_count;
    if (queues == n->socket_count)
        return true;
    log_info("%s has %u queue%s: as many data workers", device_tap(n->device)->name, queues,
             queues == 1 ? "" : "s");
    int err = udp_reduce(n->sockets, n->socket_count, queues);
    n->socket_count = queues;
    if (err)
        log_error("cannot share UDP port %u among %u workers: %s", n->config->port, queues, strerror(errno));
    return err == 0;
}

/* Each peer's control connection is a descriptor. */
static unsigned peers_that_fit(void)
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

static bool open_mesh(struct node *n)
{
    const struct config *c = n->config;
    n->peers_max = peers_that_fit();
    n->filter = (struct filter){n->config, n->device};
    struct mesh_config config = {.me = n->identity,
                                 .name = c->name,
                                 .is_public = c->is_public,
                                 .lanes = (uint8_t)n->socket_count,
                                 .mtu = (uint16_t)device_mtu(n->device),
                                 .peers_max = n->peers_max,
                                 .ratchet_us = c->ratchet_s ? c->ratchet_s * USEC_PER_SEC : MESH_RATCHET_US,
                                 .rehandshake_us =
                                     c->rehandshake_s ? c->rehandshake_s * USEC_PER_SEC : MESH_REHANDSHAKE_US,
                                 .local_max = device_underlay_max(n->device),
                                 .filter = filter_of(&n->filter),
                                 .random = secret_source};
    aead_choose_by(c->cipher_library);
    enum aead_suite suite = aead_cpu_has_aes() ? AEAD_AES_256_GCM : AEAD_CHACHA20_POLY1305;
    log_info("frames are sealed with %s by %s", aead_suite_name(suite), aead_backend_name(suite));
#ifdef SHADOWMESH_BENCH_NULL
    config.null_cipher = c->null_cipher;
    if (c->null_cipher)
        log_warn("frames travel WITHOUT ENCRYPTION, because of -test-null-cipher: for benchmarks only");
#endif
    memcpy(config.mac, device_mac(n->device), sizeof(config.mac));
    int err = mesh_new(&config, &n->mesh);
    if (err)
        log_error("cannot start the mesh: %s", err_str(err));
    return err == 0;
}

static bool start_workers(struct node *n)
{
    const struct workers_config config = {.count = n->socket_count,
                                          .tap = device_tap(n->device),
                                          .sockets = n->sockets,
                                          .mac = device_mac(n->device),
                                          .peers_max = MESH_PEERS_MAX,
                                          .pass_bpdus = n->config->pass_bpdus,
                                          .profile = n->config->profile,
                                          .traces = frame_log_traces(&n->frame_log),
                                          .wake = wake,
                                          .context = n};
    int err = workers_start(&n->workers, &config);
    if (err)
        log_error("cannot start the data workers: %s", err_str(err));
    return err == 0;
}

static bool tell_unnamed(const struct node *n, const char *flag, int err)
{
    if (err == ERR_EXISTS)
        log_error("%s: that id is our own: name the other node's", flag);
    else if (err == ERR_SPACE)
        log_error("%s: too many peers, at most %u", flag, n->peers_max);
    else
        log_error("%s: %s", flag, err_str(err));
    return false;
}

static bool list_peers(struct node *n)
{
    const struct config *c = n->config;
    for (unsigned i = 0; i < c->allow_count; i++) {
        int err = mesh_allow(n->mesh, &c->allow[i]);
        if (err && err != ERR_EXISTS) /* that we admit ourselves goes without saying */
            return tell_unnamed(n, "-allow", err);
    }
    for (unsigned i = 0; i < c->connect_count; i++) {
        int err = mesh_connect(n->mesh, &c->connect[i].id);
        if (err)
            return tell_unnamed(n, "-connect", err);
    }
    return true;
}

static bool add_hosts(struct node *n)
{
    const struct config *c = n->config;
    hosts_init(&n->hosts, n->mesh, n->name_client, n->rendezvous != NULL);
    for (unsigned i = 0; i < c->connect_count; i++) {
        int err = c->connect[i].host[0] ? hosts_add(&n->hosts, &c->connect[i]) : 0;
        if (err == ERR_SPACE)
            log_error("-connect: too many hosts of one id, at most %d", HOSTS_PER_PEER);
        else if (err)
            log_error("-connect: %s", err_str(err));
        if (err)
            return false;
    }
    return true;
}

static void on_helper_unable(void *context)
{
    struct node *n = context;
    n->failed = true;
    uv_stop(&n->loop);
}

static bool open_helper(struct node *n, int *end, const char *title, struct helper_client **out)
{
    int fd = *end;
    *end = -1;
    const struct helper_client_config config = {&n->loop, title, on_helper_unable, n};
    return helper_client_new(&config, fd, out) == 0;
}

/* They were started first of all. */
static bool open_helpers(struct node *n)
{
    bool ok =
        open_helper(n, &n->helpers.names, "name look-ups", &n->name_helper) &&
        (n->helpers.backbone < 0 || open_helper(n, &n->helpers.backbone, "backbone", &n->backbone_helper)) &&
        name_client_new(n->name_helper, &n->name_client) == 0;
    if (!ok)
        log_error("cannot start the clients of the helper processes: %s", err_str(ERR_NOMEM));
    return ok;
}

static bool start_rendezvous(struct node *n)
{
    if (!n->config->backbone[0])
        return true;
    const struct rendezvous_config config = {.loop = &n->loop,
                                             .url = n->config->backbone,
                                             .helper = n->backbone_helper,
                                             .names = n->name_client,
                                             .me = n->identity,
                                             .describe = on_describe,
                                             .found = on_record,
                                             .missing = on_missing,
                                             .clock = on_clock,
                                             .state = on_backbone,
                                             .context = n};
    int err = rendezvous_new(&config, &n->rendezvous);
    if (err) {
        log_error("cannot start the backbone client: %s", err_str(err));
        return false;
    }
    rendezvous_start(n->rendezvous);
    addresses_register_by(&n->addresses, n->rendezvous);
    return true;
}

/* A terminal that hangs up ends a node as a person does. */
static const int endings[NODE_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

static void init_handles(struct node *n)
{
    uv_loop_init(&n->loop);
    uv_timer_init(&n->loop, &n->timer);
    uv_timer_init(&n->loop, &n->slow);
    uv_prepare_init(&n->loop, &n->settle);
    uv_async_init(&n->loop, &n->wake, on_wake);
    n->timer.data = n->slow.data = n->settle.data = n->wake.data = n->monitor.data = n->uevents.data = n;
    for (unsigned i = 0; i < NODE_SIGNALS; i++) {
        uv_signal_init(&n->loop, &n->signals[i]);
        n->signals[i].data = n;
        uv_signal_start(&n->signals[i], on_signal, endings[i]);
    }
}

/* Nobody is served before the loop runs. */
static void init_commands(struct node *n)
{
    pings_init(&n->pings, n->mesh);
    n->commands = (struct commands){.status = {.config = n->config,
                                               .identity = n->identity,
                                               .device = n->device,
                                               .mesh = n->mesh,
                                               .workers = &n->workers,
                                               .drops = n->drops,
                                               .rendezvous = n->rendezvous,
                                               .addresses = &n->addresses,
                                               .sandbox = &n->sandbox,
                                               .warnings = &n->warnings,
                                               .overlay = &n->overlay,
                                               .started_us = n->started_us},
                                    .lists = {.config = n->config,
                                              .mesh = n->mesh,
                                              .hosts = &n->hosts,
                                              .peers_max = n->peers_max,
                                              .directory = n->rendezvous != NULL},
                                    .pings = &n->pings,
                                    .sw = n->workers.sw};
}

static bool start(struct node *n)
{
    snapshot_watch(n);
    if (!open_api(n) || !open_sockets(n) || !open_device(n) || !open_mesh(n) || !list_peers(n) ||
        (n->key_made && keydir_keep(n->identity, n->config->keydir)) || cage_enter(n->config, &n->sandbox) ||
        log_start_writer() || !start_workers(n))
        return false;
    addresses_init(&n->addresses, &(struct addresses_config){n->config, n->device, n->mesh, &n->sockets[0]});
    report_init(&n->report, n->mesh, &n->warnings);
    overlay_init(&n->overlay, n->mesh, n->device);
    tables_init(&n->tables, &(struct tables_config){n->mesh, n->workers.fwd, n->workers.sw, &n->sockets[0]});
    struct addr_prefix overlay[MESSAGE_ADDRS_MAX];
    mesh_set_overlay(n->mesh, overlay, device_addresses(n->device, overlay, MESSAGE_ADDRS_MAX));
    addresses_announce(&n->addresses, clock_monotonic_us());
    if (!open_helpers(n) || !start_rendezvous(n) || !add_hosts(n))
        return false;
    init_commands(n);
    uv_timer_start(&n->slow, on_slow, SLOW_MS, SLOW_MS);
    uv_prepare_start(&n->settle, on_settle);
    uv_poll_init(&n->loop, &n->monitor, device_monitor_fd(n->device));
    uv_poll_start(&n->monitor, UV_READABLE, on_monitor);
    return true;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    struct node *n = context;
    bool ours = handle->data == n &&
                (handle->type == UV_TIMER || handle->type == UV_PREPARE || handle->type == UV_ASYNC ||
                 handle->type == UV_POLL || handle->type == UV_SIGNAL);
    if (ours && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_overdue(uv_timer_t *timer)
{
    struct node *n = timer->data;
    n->overdue = true;
    uv_stop(&n->loop);
}

/* Until the last words are out and every handle is closed. Nothing should take longer than STOP_MS: what does is left to
 * itself. */
static void run_out(struct node *n)
{
    uv_walk(&n->loop, close_handle, n);
    uv_timer_init(&n->loop, &n->last);
    n->last.data = n;
    uv_timer_start(&n->last, on_overdue, STOP_MS, 0);
    uv_unref((uv_handle_t *)&n->last);
    uv_run(&n->loop, UV_RUN_DEFAULT);
    if (n->overdue)
        return;
    uv_close((uv_handle_t *)&n->last, NULL);
    uv_run(&n->loop, UV_RUN_DEFAULT);
}

/* In reverse. */
static void stop(struct node *n, int code)
{
    if (n->rendezvous)
        rendezvous_close(n->rendezvous);
    name_client_free(n->name_client);
    helper_client_close(n->name_helper);
    helper_client_close(n->backbone_helper);
    helpers_close(&n->helpers);
    if (n->mesh) {
        mesh_shutdown(n->mesh, clock_monotonic_us());
        node_do_outputs(n);
    }
    if (n->streams)
        streams_close_all(n->streams);
    if (n->api) {
        pings_end(&n->pings);
        api_close(n->api);
    }
    workers_stop(&n->workers);
    run_out(n);
    snapshot_unwatch(n);
    mesh_free(n->mesh);
    tables_fini(&n->tables);
    hosts_fini(&n->hosts);
    workers_fini(&n->workers);
    device_close(n->device);
    udp_close(n->sockets, n->socket_count);
    if (n->overdue)
        quick_exit(code); /* exit() would join the pool, which still reads the identity */
    uv_loop_close(&n->loop);
}

int control_run(const struct config *config)
{
    static struct node node;
    struct node *n = &node;
    n->config = config;
    n->started_us = clock_monotonic_us();
    n->uevent_fd = -1;
    n->helpers = HELPERS_NONE;
    if (!has_room(config) || (!config->generate_keys && !start_helpers(n)))
        return EXIT_FAILURE;
    if (!load_identity(config, &n->identity, &n->key_made))
        return EXIT_FAILURE;
    if (config->generate_keys) {
        identity_free(n->identity);
        return EXIT_SUCCESS;
    }
    frame_log_init(&n->frame_log, config->verbose);
    init_handles(n);
    int code = start(n) ? EXIT_SUCCESS : EXIT_FAILURE;
    if (code == EXIT_SUCCESS)
        uv_run(&n->loop, UV_RUN_DEFAULT);
    if (n->failed)
        code = EXIT_FAILURE;
    stop(n, code);
    identity_free(n->identity);
    return code;
}
