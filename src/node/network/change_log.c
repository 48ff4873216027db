/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/change_log.h"

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "proto/network/census.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAVE_US (5 * USEC_PER_SEC) /* between two times at least */

struct change_log {
    struct change_log_config config;
    struct changes *changes;
    struct census *census;
    uint64_t saved, saved_us; /* the version on disk, and when it was written */
    bool told;                /* that it cannot be */
};

/* ERR_NOT_FOUND: there is none that can be read. */
static int load(struct change_log *l, uint8_t *file)
{
    size_t len;
    int err =
        folder_read(l->config.keydir, CHANGE_LOG_FILE, OWN_FILE_PRIVATE, file, CHANGES_ENCODED_MAX, &len);

    if (!err)
        err = changes_decode(l->changes, file, len);
    if (!err || err == ERR_NOT_FOUND)
        return err;
    log_warn("%s of the node's folder: %s: the log of members begins anew", CHANGE_LOG_FILE,
             err == ERR_FORMAT ? "it is damaged"
             : err == ERR_IO   ? strerror(errno)
                               : err_str(err));
    changes_free(l->changes);
    l->changes = NULL;
    err = changes_new(&l->changes);
    return err ? err : ERR_NOT_FOUND;
}

static int read_all(struct change_log *l)
{
    uint8_t *file = malloc(CHANGES_ENCODED_MAX);
    int err = file ? load(l, file) : ERR_NOMEM;

    free(file);
    return err;
}

static int begin(struct change_log *l)
{
    int err = changes_new(&l->changes);

    if (!err)
        err = census_new(&l->census);
    if (!err)
        err = read_all(l);
    if (!err) /* what changed while we were off comes later */
        census_take(l->census, l->config.rolls, NULL, 0);
    l->saved = l->changes ? changes_version(l->changes) : 0;
    return err == ERR_NOT_FOUND ? 0 : err;
}

int change_log_open(const struct change_log_config *config, struct change_log **out)
{
    struct change_log *l = calloc(1, sizeof(*l));

    if (!l)
        return ERR_NOMEM;
    l->config = *config;
    int err = begin(l);
    if (err) {
        change_log_close(l);
        return err;
    }
    *out = l;
    return 0;
}

/* ---- on disk ---- */

static int write_all(const struct change_log *l)
{
    uint8_t *file = malloc(CHANGES_ENCODED_MAX);
    struct writer w = writer_init(file, CHANGES_ENCODED_MAX);

    if (!file)
        return ERR_NOMEM;
    changes_encode(l->changes, &w);
    int err = folder_replace(l->config.keydir, CHANGE_LOG_FILE, OWN_FILE_PRIVATE, file, writer_len(&w));
    free(file);
    return err;
}

static void save(struct change_log *l)
{
    uint64_t version = changes_version(l->changes);

    if (version == l->saved)
        return;
    int err = write_all(l);
    if (err && !l->told)
        log_error("cannot write %s of the node's folder: %s: the log of members is lost at the next start",
                  CHANGE_LOG_FILE, err == ERR_IO ? strerror(errno) : err_str(err));
    l->told = err != 0;
    if (!err)
        l->saved = version;
}

void change_log_close(struct change_log *l)
{
    if (!l)
        return;
    if (l->changes)
        save(l);
    changes_free(l->changes);
    census_free(l->census);
    free(l);
}

/* ---- what happens ---- */

void change_log_note(struct change_log *l, enum change_kind kind, const struct node_id *id, const char *name,
                     uint64_t until, const char *by, uint64_t now_s)
{
    struct change change = {.kind = kind, .time = now_s, .id = *id, .until = until};

    if (!l)
        return;
    change.signer = *l->config.me;
    snprintf(change.name, sizeof(change.name), "%s", name);
    snprintf(change.by, sizeof(change.by), "%s", by);
    changes_put(l->changes, &change);
}

void change_log_tick(struct change_log *l, uint64_t now_s, uint64_t now_us)
{
    census_take(l->census, l->config.rolls, l->changes, now_s);
    if (now_us - l->saved_us < SAVE_US)
        return;
    l->saved_us = now_us;
    save(l);
}

const struct changes *change_log_changes(const struct change_log *l)
{
    return l->changes;
}
