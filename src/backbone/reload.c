/* SPDX-License-Identifier: Apache-2.0 */
#include "backbone/reload.h"

#include "backbone/config.h"
#include "base/log.h"
#include "net/notify.h"
#include "net/opener.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 5000
#define WRONG_MAX   512

int reload_start(struct reload *r, struct backbone_config *config)
{
    const struct opener_config opener = {.paths = config->source.files,
                                         .count = config->source.file_count,
                                         .caged = config->sandbox,
                                         .title = "shadowmesh-backbone: files"};
    *r = (struct reload){.config = config, .opener = -1};
    int err = opener.count ? opener_start(&opener, &r->opener) : 0;
    if (err)
        log_error("cannot start the process that opens the files of -config: %s", strerror(errno));
    return err;
}

void reload_end(struct reload *r)
{
    if (r->opener >= 0)
        close(r->opener);
    r->opener = -1;
}

/* False: wrong says why there are none. */
static bool open_files(const struct reload *r, struct opened *out)
{
    struct pollfd p = {.fd = r->opener, .events = POLLIN};
    int err = opener_ask(r->opener);
    if (!err && poll(&p, 1, PATIENCE_MS) == 1)
        err = opener_take(r->opener, r->config->source.file_count, out);
    else if (!err)
        err = ERR_AGAIN;
    if (err)
        snprintf(out->wrong, sizeof(out->wrong), "the process that opens the files %s: restart the server",
                 err == ERR_CLOSED ? "is gone" : "does not answer");
    return !err && !out->wrong[0];
}

static void on_said(void *context, const char *line)
{
    snprintf(context, WRONG_MAX, "%s", line);
}

static void tell_restart(void *context, const char *name)
{
    (void)context;
    log_warn("reload: -%s has another value, which the next start takes", name);
}

static void follow(struct backbone_config *config, const struct backbone_config *fresh)
{
    const struct flags *flags = backbone_config_flags();
    uint64_t rows = flags_differ(flags, config, fresh);
    flags_restarts(flags, rows, tell_restart, NULL);
    if (config->verbose != fresh->verbose)
        log_info("reload: -v %s", fresh->verbose ? "added" : "removed");
    log_set_level(fresh->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    flags_take(flags, config, fresh);
    log_info("reload: the flags were read again%s", rows ? "" : ": nothing has changed");
}

static void read_again(struct reload *r)
{
    struct opened files = {.count = 0};
    struct backbone_config fresh;
    char wrong[WRONG_MAX] = "";
    const struct flags_again again = {&r->config->source, files.fds, on_said, wrong};
    if (!open_files(r, &files))
        log_error("reload: nothing has changed: %s", files.wrong);
    else if (backbone_config_parse_again(&again, &fresh) == FLAGS_RUN)
        follow(r->config, &fresh);
    else
        log_error("reload: nothing has changed: %s", wrong);
}

void reload_run(struct reload *r)
{
    if (r->opener < 0) {
        log_info("SIGHUP: this server was started without -config: there is no file to read again");
        return;
    }
    notify_reloading();
    read_again(r);
    notify_ready();
}
