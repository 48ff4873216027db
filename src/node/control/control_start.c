/* SPDX-License-Identifier: Apache-2.0 */
/* What is not needed to know the others comes first: an address that is in use costs nothing. Before the first thread is
 * made, the node goes into its cage. */

#include "node/control/control_start.h"

#include "base/clock.h"
#include "crypto/aead_policy.h"
#include "crypto/cert.h"
#include "crypto/secret.h"
#include "net/process.h"
#include "node/control/cage.h"
#include "node/control/control_doors.h"
#include "node/control/control_events.h"
#include "node/control/control_loop.h"
#include "node/control/control_network.h"
#include "node/control/control_state.h"
#include "node/control/keydir.h"
#include "node/control/resources.h"
#include "node/data/intake.h"
#include "proto/switch/floods.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(INTAKE_PEERS == MESH_PEERS_MAX, "each peer has a share of the queue");
static_assert(CONFIG_WORKERS_MAX == WORKER_BULK_MAX && WORKER_MAX <= TAP_QUEUES_MAX &&
                  WORKER_MAX <= WIRE_DATA_LANES,
              "each worker has a queue and a lane");
static_assert(UPLINK_WORKERS_MAX == WORKER_MAX && TRUNKS_WORKERS_MAX == WORKER_MAX,
              "each worker has a channel to the uplink, and to the trunks");

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
        log_error("cannot open the API socket in %s: %s%s", n->config->run_dir, strerror(errno),
                  err == ERR_NOMEM ? "" : "; -run DIR moves it");
    return err == 0;
}

static bool open_sockets(struct node *n)
{
    const struct streams_events events = control_events_of_streams(n);
    unsigned workers = resources_workers(n->config);
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
    const struct node_id *id = identity_id(n->identity);
    int err = n->config->rootless ? device_open_inside(n->config, id, &n->broker, &n->device)
              : n->config->tun_fd ? device_open_given(n->config, id, &n->given, &n->device)
                                  : device_open(n->config, id, n->socket_count, &n->device);
    if (err)
        return false;
    if (!control_network_give(n))
        return false;
    unsigned queues = device_tap(n->device)->queue_count;
    if (queues == n->socket_count)
        return true;
    log_info("%s has %u queue%s: as many data workers", device_tap(n->device)->name, queues,
             queues == 1 ? "" : "s");
    err = udp_reduce(n->sockets, n->socket_count, queues);
    n->socket_count = queues;
    if (err)
        log_error("cannot share UDP port %u among %u workers: %s", n->config->port, queues, strerror(errno));
    return err == 0;
}

static void choose_cipher(const struct config *c)
{
    aead_choose_by(c->cipher_library);
    enum aead_suite suite = aead_policy_first(c->aead);
    log_info("frames are sealed with %s by %s: %s", aead_suite_name(suite), aead_backend_name(suite),
             aead_policy_reason(c->aead));
}

static struct flood_counts count_floods(const void *context, uint32_t slot)
{
    const struct workers *w = context;
    return w->sw ? switch_floods(w->sw, slot) : (struct flood_counts){0};
}

/* What a person says goes first, then the network. 0: it relays for nobody. */
static unsigned relay_mbit(const struct node *n)
{
    const struct config *c = n->config;
    const struct cert *me = n->network ? network_me(n->network) : NULL;
    if (c->relay_mbit || c->relay_off || c->carriers != CARRIERS_AUTO || !me ||
        !(me->roles & CERT_ROLE_RELAY))
        return c->relay_mbit;
    log_info(
        "network %s: this node relays for its members: its certificate has the role; -relay=false declines",
        c->network);
    return CONFIG_RELAY_MBIT;
}

static bool open_mesh(struct node *n)
{
    const struct config *c = n->config;
    n->peers_max = resources_peers();
    n->filter = (struct filter){n->config, n->device, &n->addresses};
    unsigned mbit = relay_mbit(n);
    if (mbit && relaying_init(mbit, &n->relaying)) {
        log_error("cannot relay for peers: %s", err_str(ERR_NOMEM));
        return false;
    }
    struct mesh_config config = {.me = n->identity,
                                 .name = c->called,
                                 .version = SHADOWMESH_VERSION,
                                 .is_public = c->is_public,
                                 .full_mesh = c->full_mesh || n->network,
                                 .network = n->network ? network_membership(n->network) : NULL,
                                 .rolls = n->registry ? registry_rolls(n->registry) : NULL,
                                 .serving = n->network ? network_serving(n->network) : NULL,
                                 .lanes = (uint8_t)n->socket_count,
                                 .mtu = (uint16_t)device_mtu(n->device),
                                 .peers_max = n->peers_max,
                                 .ratchet_us = c->ratchet_s ? c->ratchet_s * USEC_PER_SEC : MESH_RATCHET_US,
                                 .rehandshake_us =
                                     c->rehandshake_s ? c->rehandshake_s * USEC_PER_SEC : MESH_REHANDSHAKE_US,
                                 .control_idle_us = c->control_idle_s * USEC_PER_SEC,
                                 .quiet_us = c->quiet_s * USEC_PER_SEC,
                                 .local_max = device_underlay_max(n->device),
                                 .carriers = c->carriers,
                                 .aead = c->aead,
                                 .sides = SIDES_MAX,
                                 .desk = n->relaying.desk,
                                 .filter = filter_of(&n->filter),
                                 .floods = {count_floods, &n->workers},
                                 .random = secret_source};
    choose_cipher(c);
#ifdef SHADOWMESH_BENCH_NULL
    config.null_cipher = c->null_cipher;
    if (c->null_cipher)
        log_warn("frames travel WITHOUT ENCRYPTION, because of -test-null-cipher: for benchmarks only");
#endif
    memcpy(config.mac, device_mac(n->device), sizeof(config.mac));
    int err = mesh_new(&config, &n->mesh);
    if (!err)
        err = handshake_pool_new(&n->loop, control_events_worked, n, &n->handshakes);
    if (err)
        log_error("cannot start the mesh: %s", err_str(err));
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

static bool start_trunks(struct node *n)
{
    if (n->config->carriers == CARRIERS_UDP)
        return true;
    const struct trunks_config config = {
        .loop = &n->loop, .workers = n->socket_count, .closed = control_events_trunk_closed, .context = n};
    int err = trunks_new(&config, &n->trunks);
    if (err)
        log_error("cannot start the thread for datagrams over TCP: %s", err_str(err));
    return err == 0;
}

static void nothing(uv_work_t *request)
{
    (void)request;
}

/* libuv aborts where it cannot make its threads. So they are made now, when there is room for them. */
static bool start_pool(struct node *n)
{
    if (process_may_start_threads(HANDSHAKE_POOL_THREADS) &&
        uv_queue_work(&n->loop, &n->pool_started, nothing, NULL) == 0)
        return true;
    log_error(
        "cannot start the threads for handshakes: out of memory, or of threads (`ulimit -u`, TasksMax= of "
        "the service)");
    return false;
}

/* Before any worker. */
static bool open_shim(struct node *n)
{
    struct shim_config config;
    struct shim_machine now;
    if (device_tap(n->device)->layer == TAP_ETHERNET)
        return true;
    control_events_machine(n, &now);
    control_events_of_shim(n, &config);
    memcpy(config.mac, device_mac(n->device), sizeof(config.mac));
    int err = shim_new(&config, &now, &n->shim);
    if (err)
        log_error("cannot stand in for a link layer: %s", err_str(err));
    return err == 0;
}

static bool start_workers(struct node *n)
{
    struct workers_config config = {.count = n->socket_count,
                                    .tap = device_tap(n->device),
                                    .sockets = n->sockets,
                                    .sides = &n->sides,
                                    .desk = n->relaying.desk,
                                    .neigh = n->shim ? shim_view(n->shim) : NULL,
                                    .mac = device_mac(n->device),
                                    .peers_max = MESH_PEERS_MAX,
                                    .pass_bpdus = n->config->pass_bpdus,
                                    .profile = n->config->profile,
                                    .traces = frame_log_traces(&n->frame_log),
                                    .wake = control_events_wake,
                                    .context = n};
    for (unsigned i = 0; i < n->helpers.uplink_count; i++)
        config.channels[i] = n->helpers.uplinks[i].workers;
    config.channels[CARRIER_TRUNKS] = n->trunks ? trunks_channels(n->trunks) : NULL;
    int err = workers_start(&n->workers, &config);
    if (err)
        log_error("cannot start the data workers: %s", err_str(err));
    else if (n->shim)
        shim_begin(n->shim, &n->workers);
    return err == 0;
}

/* They were started first of all, and have had the time of all else. */
static bool wait_for_helpers(struct node *n)
{
    const char *title;
    char why[HELPER_TEXT_MAX];
    int err = helpers_wait(&n->helpers, n->ending, &title, why);
    n->ended = !control_loop_listen(n);
    if (err && !n->ended)
        log_error("%s: its process does not start: %s", title, why);
    return !err && !n->ended;
}

static bool open_helper(struct node *n, int *end, const char *title, struct helper_client **out)
{
    int fd = *end;
    *end = -1;
    const struct helper_client_config config = {&n->loop, title};
    return helper_client_new(&config, fd, out) == 0;
}

static bool open_helpers(struct node *n)
{
    bool ok = open_helper(n, &n->helpers.names, HELPERS_NAMES, &n->name_helper) &&
              (n->helpers.backbone < 0 ||
               open_helper(n, &n->helpers.backbone, HELPERS_BACKBONE, &n->backbone_helper)) &&
              name_client_new(n->name_helper, &n->name_client) == 0;
    if (!ok)
        log_error("cannot start the clients of the helper processes: %s", err_str(ERR_NOMEM));
    return ok;
}

static bool start_backbones(struct node *n)
{
    const struct config *c = n->config;
    if (!c->backbone_count)
        return true;
    struct backbones_config config = {.loop = &n->loop,
                                      .count = c->backbone_count,
                                      .place_count = n->helpers.uplink_count,
                                      .helper = n->backbone_helper,
                                      .names = n->name_client,
                                      .me = n->identity,
                                      .streams = n->streams,
                                      .ways = device_ways(n->device),
                                      .workers = n->socket_count,
                                      .folder = n->cache_folder[0] ? n->cache_folder : NULL,
                                      .events = control_events_of_backbones(n)};
    for (unsigned i = 0; i < config.place_count; i++) {
        int *end = &n->helpers.uplinks[i].control;
        config.places[i] = (struct backbones_place){c->backbones[i], &n->proxies[i], *end};
        *end = -1;
    }
    int err = backbones_new(&config, &n->backbones);
    if (err) {
        log_error("cannot start the backbone clients: %s", err_str(err));
        return false;
    }
    addresses_register_by(&n->addresses, n->backbones);
    return true;
}

static bool start_portmap(struct node *n)
{
    if (n->helpers.portmap < 0)
        return true;
    int fd = n->helpers.portmap;
    n->helpers.portmap = -1;
    struct portmap_config config = {.loop = &n->loop, .config = n->config, .device = n->device};
    control_events_of_portmap(n, &config);
    int err = portmap_new(&config, fd, &n->portmap);
    if (err)
        log_error("cannot start the client of the helper for port mappings: %s", err_str(err));
    addresses_map_by(&n->addresses, n->portmap);
    return err == 0;
}

static bool start_records(struct node *n)
{
    const struct records_config config = {.loop = &n->loop,
                                          .me = n->identity,
                                          .mesh = n->mesh,
                                          .folder = n->cache_folder[0] ? n->cache_folder : NULL,
                                          .describe = control_events_describe,
                                          .refused = control_events_refused,
                                          .context = n};
    int err = records_new(&config, &n->records);
    if (err)
        log_error("cannot start what keeps records: %s", err_str(err));
    addresses_tell(&n->addresses, n->records);
    return err == 0;
}

static bool add_hosts(struct node *n)
{
    const struct config *c = n->config;
    hosts_init(&n->hosts, n->mesh, n->name_client, n->backbones != NULL);
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

static bool start_neighbours(struct node *n)
{
    const struct neighbours_config config = {.loop = &n->loop,
                                             .config = n->config,
                                             .me = n->identity,
                                             .device = n->device,
                                             .mesh = n->mesh,
                                             .drops = n->drops};
    int err = n->config->lan == CONFIG_LAN_OFF ? 0 : neighbours_new(&config, &n->neighbours);
    if (err)
        log_error("cannot look for peers on the local network: %s", err_str(err));
    return err == 0;
}

static bool start_reloads(struct node *n)
{
    const struct reloads_config config = {.loop = &n->loop,
                                          .opener = n->opener,
                                          .config = n->config,
                                          .lists = &n->commands.lists,
                                          .frame_log = &n->frame_log,
                                          .workers = &n->workers};
    n->opener = -1;
    int err = reloads_init(&n->reloads, &config);
    if (err)
        log_error("cannot watch the process that opens the files of -config: %s", err_str(err));
    return err == 0;
}

/* Nobody is served before the loop runs. */
static void init_commands(struct node *n)
{
    pings_init(&n->pings, n->mesh, n->backbones, n->device);
    n->checks = (struct checks){.config = {.loop = &n->loop,
                                           .config = n->config,
                                           .proxies = n->proxies,
                                           .names = n->name_client,
                                           .backbones = n->backbone_helper},
                                .portmap = n->portmap};
    n->commands =
        (struct commands){.status = {.config = n->config,
                                     .identity = n->identity,
                                     .device = n->device,
                                     .mesh = n->mesh,
                                     .workers = &n->workers,
                                     .desk = n->relaying.desk,
                                     .relay_mbit = n->relaying.mbit,
                                     .drops = n->drops,
                                     .backbones = n->backbones,
                                     .addresses = &n->addresses,
                                     .portmap = n->portmap,
                                     .doors = n->doors,
                                     .network = n->network,
                                     .names = n->names,
                                     .sandbox = &n->sandbox,
                                     .warnings = &n->warnings,
                                     .overlay = &n->overlay,
                                     .started_us = n->started_us,
                                     .broker = n->broker.pid},
                          .lists = {.config = n->config,
                                    .mesh = n->mesh,
                                    .hosts = &n->hosts,
                                    .me = identity_id(n->identity),
                                    .peers_max = n->peers_max},
                          .rosters = {.registry = n->registry,
                                      .network = n->network,
                                      .changes = n->changes,
                                      .mesh = n->mesh,
                                      .me = n->identity,
                                      .backbones = n->backbones,
                                      .device = n->device},
                          .invites = {.config = n->config, .network = n->network, .addresses = &n->addresses},
                          .pings = &n->pings,
                          .checks = &n->checks,
                          .reloads = &n->reloads,
                          .sw = n->workers.sw};
}

/* Of those that only have to know each other. */
static void init_parts(struct node *n)
{
    addresses_init(&n->addresses, &(struct addresses_config){n->config, n->device, n->mesh, &n->sockets[0]});
    standbys_init(&n->standbys, &(struct standbys_config){n->device, n->mesh, &n->sockets[0]});
    report_init(&n->report, n->mesh, &n->warnings);
    report_queue(&n->report, udp_queue(&n->sockets[0]));
    overlay_init(&n->overlay, n->mesh, n->device);
    tables_init(&n->tables, &(struct tables_config){n->mesh, n->workers.fwd, n->workers.sw, &n->sockets[0]});
}

static bool start_survey(struct node *n)
{
    struct survey_config config;
    struct draw_config draw;
    control_events_of_survey(n, &config);
    control_events_of_draw(n, &draw);
    int err = survey_new(&config, &n->survey);
    if (!err)
        err = draw_new(&draw, &n->draw);
    if (err)
        log_error("cannot prepare to look at our NAT: %s", err_str(err));
    return err == 0;
}

static void tell_addresses(struct node *n)
{
    struct addr_prefix overlay[MESSAGE_ADDRS_MAX];
    mesh_set_overlay(n->mesh, overlay, device_addresses(n->device, overlay, MESSAGE_ADDRS_MAX));
    standbys_on_change(&n->standbys, clock_monotonic_us());
    addresses_announce(&n->addresses, clock_monotonic_us());
}

/* An id that was said is the next start's, too. */
static bool keep_key(struct node *n)
{
    if (!n->key_made)
        return true;
    if (keydir_keep_draft(&n->key, n->config->keydir))
        return false;
    (void)keydir_say_id(n->identity);
    return true;
}

/* A node can do without records on disk. */
static bool enter_cage(struct node *n)
{
    if (!cache_folder_prepare(n->config->keydir, n->cache_folder, sizeof(n->cache_folder)))
        n->cache_folder[0] = '\0';
    return cage_enter(n->config, n->cache_folder, &n->sandbox) == 0;
}

bool control_start(struct node *n)
{
    snapshot_watch(&n->snapshot, &n->loop, control_events_resumed, n);
    if (!open_api(n) || !open_sockets(n) || !open_device(n) || !control_doors_listen(n) || !open_mesh(n) ||
        !list_peers(n) || !wait_for_helpers(n) ||
        (n->key_made && keydir_draft(n->identity, n->config->keydir, &n->key)) || !enter_cage(n) ||
        log_start_writer() || !start_trunks(n) || !open_shim(n) || !start_workers(n) || !start_pool(n))
        return false;
    init_parts(n);
    tell_addresses(n);
    if (!start_survey(n) || !open_helpers(n) || !start_records(n) || !start_backbones(n) ||
        !start_portmap(n) || !control_doors_start(n) || !add_hosts(n) || !start_neighbours(n) ||
        !start_reloads(n) || !control_network_begin(n) || !keep_key(n))
        return false;
    struct nat_watch_config watch;
    control_events_of_nat_watch(n, &watch);
    nat_watch_init(&n->nat_watch, &watch, clock_monotonic_us());
    stun_hosts_init(&n->stun_hosts, n->config, n->name_client, control_events_stun_found, n);
    init_commands(n);
    control_loop_begin(n);
    return true;
}
