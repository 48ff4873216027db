/* SPDX-License-Identifier: Apache-2.0 */
/* The node's folder is published first: the network exists once its configuration does. */
#include "cli/making.h"

#include "base/folder.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE    0755 /* the node's user reads the configuration */
#define KEYDIR_MODE 0700
#define STATE       "state"

static void hold_signals(sigset_t *before)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigaddset(&ends, SIGQUIT);
    sigprocmask(SIG_BLOCK, &ends, before);
}

static void end(struct making *m)
{
    if (m->keydir_fd >= 0 && m->keydir_fd != m->keydir.fd)
        close(m->keydir_fd);
    m->keydir_fd = -1;
    sigprocmask(SIG_SETMASK, &m->signals, NULL);
}

bool making_fail(struct making *m, const char *what, int err)
{
    const char *reason = err == ERR_IO ? strerror(errno) : err_str(err);
    const char *remedy = err == ERR_PERMISSION ? ": try sudo"
                         : err == ERR_FOLDER   ? ": chmod go-w, and give it to root"
                         : err == ERR_BUSY     ? ": another shadowmesh makes one there: wait for it"
                                               : "";
    cli_complain("%s: %s%s", what, reason, remedy);
    draft_discard(&m->keydir);
    draft_discard(&m->dir);
    end(m);
    return false;
}

static int open_inner(struct making *m)
{
    if (mkdirat(m->dir.fd, STATE, KEYDIR_MODE) != 0)
        return err_from_errno(errno);
    snprintf(m->keydir_path, sizeof(m->keydir_path), "%.*s/" STATE, (int)(PATH_MAX - sizeof(STATE) - 1),
             m->dir.path);
    return folder_open(m->keydir_path, &m->keydir_fd);
}

static bool open_keydir(struct making *m)
{
    const struct place *p = m->place;
    if (!p->standard) {
        int err = open_inner(m);
        return err ? making_fail(m, p->keydir, err) : true;
    }
    int err = draft_begin(p->keydir_parent, p->network, KEYDIR_MODE, &m->keydir);
    m->keydir_fd = m->keydir.fd;
    memcpy(m->keydir_path, m->keydir.path, sizeof(m->keydir_path));
    if (err == ERR_EXISTS) {
        cli_complain("%s is there already, of an earlier network: `shadowmesh leave %s` removes it",
                     p->keydir, p->network);
        draft_discard(&m->dir);
        end(m);
        return false;
    }
    return err ? making_fail(m, p->keydir, err) : true;
}

bool making_begin(const struct place *place, struct making *out)
{
    *out = (struct making){
        .place = place, .dir = {.parent = -1, .fd = -1}, .keydir = {.parent = -1, .fd = -1}, .keydir_fd = -1};
    hold_signals(&out->signals);
    int err = draft_begin(place->etc, place->network, DIR_MODE, &out->dir);
    return err ? making_fail(out, place->dir, err) : open_keydir(out);
}

bool making_put(struct making *m, const char *name, const char *text)
{
    int err = folder_write(m->dir.fd, name, OWN_FILE_SHOWN, text, strlen(text));
    return err ? making_fail(m, name, err) : true;
}

bool making_put_secret(struct making *m, const char *name, const char *text, size_t len)
{
    int err = folder_write(m->keydir_fd, name, OWN_FILE_PRIVATE, text, len);
    return err ? making_fail(m, name, err) : true;
}

bool making_publish(struct making *m)
{
    int err = fsync(m->keydir_fd) == 0 ? 0 : err_from_errno(errno);
    if (!err && m->place->standard)
        err = draft_publish(&m->keydir);
    if (err)
        return making_fail(m, m->place->keydir, err);
    err = draft_publish(&m->dir);
    if (!err) {
        end(m);
        return true;
    }
    if (m->place->standard)
        (void)!draft_remove(m->place->keydir_parent, m->place->network);
    return making_fail(m, m->place->dir, err);
}
