/* SPDX-License-Identifier: Apache-2.0 */
/* Start and end of the backbone. Main thread: it waits for signals and, once a second, looks for connections
 * that take too long. */

#include "backbone/server.h"

#include "backbone/cage.h"
#include "backbone/directory.h"
#include "backbone/http.h"
#include "backbone/listen.h"
#include "backbone/metrics.h"
#include "backbone/reflect.h"
#include "backbone/routes.h"
#include "backbone/store_sqlite.h"
#include "backbone/uplink_places.h"
#include "backbone/uplinks.h"
#include "base/clock.h"
#include "base/log.h"
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
    struct directory *directory;
    struct routes *routes;
    struct reflect *reflect;
    struct uplinks *uplinks;
    struct http *http;
    struct uplinks_config uplinks_config;
};

static void prepare_process(sigset_t *ends)
{
    umask(077);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is then a full disk, which is answered with 503 */
    sigemptyset(ends);
    sigaddset(ends, SIGTERM);
    sigaddset(ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, ends, NULL);
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

static int open_directory(const char *data_dir, struct directory **out)
{
    char path[4096];
    struct store *store;
    snprintf(path, sizeof(path), "%s/%s", data_dir, STORE_SQLITE_FILE);
    int err = store_sqlite_open(path, SERVER_NODES_MAX, &store);
    return err ? err : directory_new(store, out);
}

static int start_serving(struct server *s, const struct backbone_config *config)
{
    s->uplinks_config = config->uplinks;
    s->uplinks_config.max = uplinks_max();
    s->uplinks_config.relay = s->sockets.relays ? &s->sockets.relay : NULL;
    int err = routes_new(s->directory, &s->metrics, s->sockets.bound.port, &s->routes);
    if (!err)
        err = reflect_start(s->sockets.udp, &s->metrics, &s->reflect);
    if (!err)
        err = uplinks_start(&s->uplinks_config, &s->metrics, &s->uplinks);
    const struct http_with with = {s->routes, s->uplinks, &config->proxies, &s->metrics};
    if (!err)
        err = http_start(s->sockets.tcp, &with, &s->http);
    if (err)
        log_error("cannot start to serve: %s", err_str(err));
    else
        s->sockets.tcp = -1; /* the HTTP server's from now on */
    return err;
}

static void stop(struct server *s)
{
    http_stop(s->http);
    uplinks_stop(s->uplinks);
    reflect_stop(s->reflect);
    routes_free(s->routes);
    directory_free(s->directory);
    listen_close(&s->sockets);
}

static void wait_for_end(struct server *s, const sigset_t *ends)
{
    struct timespec tick = {.tv_sec = TICK_S};
    int number;
    while ((number = sigtimedwait(ends, NULL, &tick)) < 0)
        http_cut_slow(s->http, clock_monotonic_us());
    log_debug("ended by %s", strsignal(number));
}

int server_run(const struct backbone_config *config)
{
    struct server s = {.sockets = {-1, -1}, .metrics = {.started_s = clock_unix_s()}};
    sigset_t ends;
    char at[ADDR_TEXT_MAX];
    prepare_process(&ends);
    int err = listen_open(&config->listen, &s.sockets);
    if (!err && config->uplinks.relay_mbit)
        err = listen_open_relay(&s.sockets, config->relay_port);
    if (!err)
        err = make_data_dir(config->data_dir);
    if (!err && config->sandbox)
        err = cage_enter(config->data_dir);
    if (!err)
        err = open_directory(config->data_dir, &s.directory);
    if (!err)
        err = log_start_writer();
    if (!err)
        err = start_serving(&s, config);
    if (!err) {
        log_info("shadowmesh-backbone " SHADOWMESH_VERSION " listening on %s (HTTP and STUN), data in %s",
                 addr_format(&s.sockets.bound, at), config->data_dir);
        wait_for_end(&s, &ends);
    }
    stop(&s);
    return err ? 1 : 0;
}
