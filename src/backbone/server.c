/* SPDX-License-Identifier: Apache-2.0 */
/* Start and end of the backbone. Main thread: it waits for signals and, once a second, looks for connections
 * that take too long. */

#include "backbone/server.h"

#include "backbone/cage.h"
#include "backbone/cluster.h"
#include "backbone/desk.h"
#include "backbone/directory.h"
#include "backbone/http.h"
#include "backbone/listen.h"
#include "backbone/metrics.h"
#include "backbone/presence.h"
#include "backbone/reflect.h"
#include "backbone/reload.h"
#include "backbone/routes.h"
#include "backbone/store_redis.h"
#include "backbone/store_sqlite.h"
#include "backbone/uplink_places.h"
#include "backbone/uplinks.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "net/notify.h"
#include "net/process.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS   2048 /* connections, database, sockets; uplinks come on top */
#define UPLINKS_LEAST 64   /* however few files may be open */
#define TICK_S        1

struct server {
    struct listen_sockets sockets;
    struct metrics metrics;
    struct store *store; /* the directory's */
    struct directory *directory;
    struct presence *presence; /* NULL, as the next one: the store is not shared */
    struct cluster *cluster;
    struct desk *desk;
    struct routes *routes;
    struct reflect *reflect;
    struct uplinks *uplinks;
    struct http *http;
    struct uplinks_config uplinks_config;
    struct reload reload;
};

/* What wait_for_end hears of. */
static void prepare_process(sigset_t *signals)
{
    umask(077);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is then a full disk, which is answered with 503 */
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

/* As many uplinks as there can be descriptors for. */
static unsigned uplinks_max(void)
{
    unsigned files = process_raise_files(DESCRIPTORS + UPLINK_PROVING_MAX + UPLINK_MAX);
    unsigned spare = files > DESCRIPTORS + UPLINK_PROVING_MAX ? files - DESCRIPTORS - UPLINK_PROVING_MAX : 0;
    unsigned max = spare < UPLINK_MAX ? spare : UPLINK_MAX;
    max = max < UPLINKS_LEAST ? UPLINKS_LEAST : max;
    if (max < UPLINK_MAX)
        log_warn("only %u nodes can keep an uplink here, as this process may open %u files: allow it more "
                 "(LimitNOFILE=16384, or ulimit -n)",
                 max, files);
    return max;
}

static int make_data_dir(const char *data_dir)
{
    struct stat st;
    int created = mkdir(data_dir, 0700);
    if (created != 0 && !(errno == EEXIST && stat(data_dir, &st) == 0 && S_ISDIR(st.st_mode))) {
        log_error("cannot make the data directory %s: %s; give another with -data", data_dir,
                  strerror(errno));
        return ERR_IO;
    }
    return 0;
}

static int open_store(const struct backbone_config *config, struct metrics *metrics, struct store **out)
{
    char path[4096];
    if (config->store.given)
        return store_redis_open(&config->store, &metrics->store, SERVER_SHARED_NODES_MAX, out);
    snprintf(path, sizeof(path), "%s/%s", config->data_dir, STORE_SQLITE_FILE);
    return store_sqlite_open(path, SERVER_NODES_MAX, out);
}

/* With others, where the store is shared. */
static int open_directory(struct server *s, const struct backbone_config *config)
{
    int err = open_store(config, &s->metrics, &s->store);
    if (!err)
        err = directory_new(s->store, &s->directory);
    if (err || !store_is_shared(s->store))
        return err;
    err = presence_new(&s->presence);
    const struct cluster_config cluster = {s->store, directory_keys(s->directory), s->presence,
                                           &s->metrics.store, config->advertise};
    return err ? err : cluster_new(&cluster, &s->cluster);
}

static uint64_t on_turn(void *context, uint64_t now_us, uint64_t now_s)
{
    return cluster_turn(context, now_us, now_s);
}

static void on_present(void *context, const struct node_id *id, bool on)
{
    struct server *s = context;
    presence_set(s->presence, id, on);
    desk_wake(s->desk);
}

static void configure_uplinks(struct server *s, const struct backbone_config *config)
{
    s->uplinks_config = config->uplinks;
    s->uplinks_config.max = uplinks_max();
    s->uplinks_config.relay = s->sockets.relays ? &s->sockets.relay : NULL;
    s->uplinks_config.present = s->presence ? on_present : NULL;
    s->uplinks_config.present_context = s;
}

static int start_serving(struct server *s, const struct backbone_config *config)
{
    const struct desk_config desk = {s->store, s->cluster ? on_turn : NULL, s->cluster};
    const struct routes_config routes = {s->directory, &s->metrics, s->cluster, s->sockets.bound.port};
    configure_uplinks(s, config);
    int err = desk_start(&desk, &s->desk);
    if (!err)
        err = routes_new(&routes, &s->routes);
    if (!err)
        err = reflect_start(s->sockets.udp, &s->metrics, &s->reflect);
    if (!err)
        err = uplinks_start(&s->uplinks_config, &s->metrics, &s->uplinks);
    const struct http_with with = {s->routes, s->desk, s->uplinks, &config->proxies, &s->metrics};
    if (!err)
        err = http_start(s->sockets.tcp, &with, &s->http);
    if (err)
        log_error("cannot start to serve: %s", err_str(err));
    else
        s->sockets.tcp = -1; /* the HTTP server's from now on */
    return err;
}

/* What the desk has begun is answered by the end of its store, before HTTP ends. */
static void close_desk(struct server *s)
{
    desk_close(s->desk);
    if (s->cluster && s->desk) {
        cluster_leave(s->cluster);
        store_turn(s->store, clock_monotonic_us());
    }
    if (s->directory)
        directory_free(s->directory);
}

static void stop(struct server *s)
{
    close_desk(s);
    http_stop(s->http);
    uplinks_stop(s->uplinks);
    reflect_stop(s->reflect);
    routes_free(s->routes);
    desk_free(s->desk);
    cluster_free(s->cluster);
    presence_free(s->presence);
    listen_close(&s->sockets);
    reload_end(&s->reload);
}

static void wait_for_end(struct server *s, const sigset_t *signals)
{
    struct timespec tick = {.tv_sec = TICK_S};
    int number;
    notify_ready();
    while ((number = sigtimedwait(signals, NULL, &tick)) < 0 || number == SIGHUP) {
        uint64_t now_us = clock_monotonic_us();
        if (number == SIGHUP)
            reload_run(&s->reload);
        http_cut_slow(s->http, now_us);
        notify_alive(now_us);
    }
    notify_stopping();
    log_debug("ended by %s", strsignal(number));
}

/* Before the cage: a look-up needs files and sockets of its own. */
static int find_store(struct redis_target *t)
{
    const char *why = redis_target_resolve(t);
    if (why)
        log_error("cannot find the store's host %s: %s; give another with -store", t->host, why);
    return why ? ERR_NOT_FOUND : 0;
}

int server_run(struct backbone_config *config)
{
    struct server s = {
        .sockets = {-1, -1}, .reload = {.opener = -1}, .metrics = {.started_s = clock_unix_s()}};
    bool is_shared = config->store.given;
    sigset_t signals;
    char at[ADDR_TEXT_MAX];
    prepare_process(&signals);
    if (!notify_open())
        log_warn("the service manager hears nothing of this server: its NOTIFY_SOCKET cannot be reached: %s",
                 strerror(errno));
    int err = reload_start(&s.reload, config);
    if (!err)
        err = listen_open(&config->listen, &s.sockets);
    if (!err && config->uplinks.relay_mbit)
        err = listen_open_relay(&s.sockets, config->relay_port);
    if (!err)
        err = is_shared ? find_store(&config->store) : make_data_dir(config->data_dir);
    if (!err && config->sandbox)
        err = cage_enter(config->data_dir, is_shared);
    if (!err)
        err = open_directory(&s, config);
    if (!err)
        err = log_start_writer();
    if (!err)
        err = start_serving(&s, config);
    if (!err) {
        log_info("shadowmesh-backbone " SHADOWMESH_VERSION " listening on %s (HTTP and STUN), data in %s",
                 addr_format(&s.sockets.bound, at), is_shared ? config->store.shown : config->data_dir);
        wait_for_end(&s, &signals);
    }
    stop(&s);
    secret_wipe(config->store.password, sizeof(config->store.password));
    return err ? 1 : 0;
}
