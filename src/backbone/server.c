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
#include "base/clock.h"
#include "base/log.h"
#include "net/process.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS 2048 /* connections, database, sockets */
#define TICK_S      1

struct server {
    struct listen_sockets sockets;
    struct metrics metrics;
    struct directory *directory;
    struct routes *routes;
    struct reflect *reflect;
    struct http *http;
};

static void prepare_process(sigset_t *ends)
{
    umask(077);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is then a full disk, which is answered with 503 */
    sigemptyset(ends);
    sigaddset(ends, SIGTERM);
    sigaddset(ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, ends, NULL);
    (void)process_raise_files(DESCRIPTORS);
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

static int start_serving(struct server *s)
{
    int err = routes_new(s->directory, &s->metrics, s->sockets.bound.port, &s->routes);
    if (!err)
        err = reflect_start(s->sockets.udp, &s->metrics, &s->reflect);
    if (!err)
        err = http_start(s->sockets.tcp, s->routes, &s->metrics, &s->http);
    if (err)
        log_error("cannot start to serve: %s", err_str(err));
    else
        s->sockets.tcp = -1; /* the HTTP server's from now on */
    return err;
}

static void stop(struct server *s)
{
    http_stop(s->http);
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
    if (!err)
        err = make_data_dir(config->data_dir);
    if (!err && config->sandbox)
        err = cage_enter(config->data_dir);
    if (!err)
        err = open_directory(config->data_dir, &s.directory);
    if (!err)
        err = log_start_writer();
    if (!err)
        err = start_serving(&s);
    if (!err) {
        log_info("shadowmesh-backbone " SHADOWMESH_VERSION " listening on %s (HTTP and STUN), data in %s",
                 addr_format(&s.sockets.bound, at), config->data_dir);
        wait_for_end(&s, &ends);
    }
    stop(&s);
    return err ? 1 : 0;
}
