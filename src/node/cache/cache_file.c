/* SPDX-License-Identifier: Apache-2.0 */
#include "node/cache/cache_file.h"

#include "base/folder.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOON_MS  2000
#define PAUSE_MS 60000 /* between two writes, but for that at the end: each is of all, and an fsync */

struct bytes {
    uint8_t *data; /* NULL: none */
    size_t len;
};

struct cache_file {
    struct cache_file_config config;
    int dir_fd;
    uv_timer_t timer;
    uv_work_t work;
    bool changed, busy, closing, told;
    unsigned handles;     /* a timer not closed and a job not done; the last one frees us */
    struct bytes next;    /* what is to be written */
    struct bytes written; /* the pool's while it is busy */
    int failure, cause;   /* of the last write; cause: errno */
    uint64_t again_ms;    /* the next one is not before */
};

/* ---- the folder, and reading ---- */

static const char *explain(int err)
{
    switch (err) {
    case ERR_FORMAT:
        return "it is no file, or too long";
    case ERR_FOREIGN:
        return "it is another user's, or others can write to it";
    case ERR_FOLDER:
        return "others can change it";
    case ERR_EXPOSED:
        return "others can read it: chmod 600";
    default:
        return err == ERR_IO ? strerror(errno) : err_str(err);
    }
}

/* Its path, if it is there and can be trusted. */
static int make_folder(const char *path)
{
    int fd, err = mkdir(path, S_IRWXU) == 0 || errno == EEXIST ? 0 : ERR_IO;
    if (!err)
        err = folder_open(path, &fd);
    if (!err)
        close(fd);
    return err;
}

bool cache_folder_prepare(const char *keydir, char *out, size_t size)
{
    int len = snprintf(out, size, "%s/" CACHE_FOLDER, keydir);
    errno = ENAMETOOLONG;
    int err = len < (int)size ? make_folder(out) : ERR_IO;
    if (err)
        log_warn("nothing is kept in %s for the next start: %s", out, explain(err));
    return err == 0;
}

void cache_file_refuse(const char *folder, const struct cache_kind *kind, const char *why)
{
    log_warn("%s/%s: %s: %s in it are not used", folder, kind->name, why, kind->what);
}

uint8_t *cache_file_read(const char *folder, const struct cache_kind *kind, size_t *len)
{
    int dir_fd = -1;
    uint8_t *data = malloc(kind->most + 1);
    int err = data ? folder_open(folder, &dir_fd) : ERR_NOMEM;
    if (!err)
        err = folder_read(dir_fd, kind->name, OWN_FILE_PRIVATE, data, kind->most + 1, len);
    if (err && err != ERR_NOT_FOUND)
        cache_file_refuse(folder, kind, explain(err));
    if (dir_fd >= 0)
        close(dir_fd);
    if (!err)
        return data;
    free(data);
    return NULL;
}

/* ---- writing ---- */

static void write_file(uv_work_t *work)
{
    struct cache_file *f = work->data;
    f->failure =
        folder_replace(f->dir_fd, f->config.kind->name, OWN_FILE_PRIVATE, f->written.data, f->written.len);
    f->cause = errno;
}

static void drop(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

static void release(struct cache_file *f)
{
    if (--f->handles > 0)
        return;
    drop(&f->next);
    drop(&f->written);
    close(f->dir_fd);
    free(f);
}

static void tell_failure(struct cache_file *f)
{
    errno = f->cause;
    if (f->failure && !f->told)
        log_warn("%s/%s cannot be written, so %s are not known at the next start: %s", f->config.folder,
                 f->config.kind->name, f->config.kind->what, explain(f->failure));
    f->told = f->failure != 0;
}

static void on_timer(uv_timer_t *timer);
static void hand_over(struct cache_file *f);

static void save_later(struct cache_file *f)
{
    uint64_t now_ms = uv_now(f->config.loop), at_ms = now_ms + SOON_MS;
    if (at_ms < f->again_ms)
        at_ms = f->again_ms;
    uv_timer_start(&f->timer, on_timer, at_ms - now_ms, 0);
}

static void on_written(uv_work_t *work, int status)
{
    struct cache_file *f = work->data;
    (void)status;
    f->busy = false;
    tell_failure(f);
    drop(&f->written);
    if (f->closing && f->next.data)
        hand_over(f);
    if (f->changed && !f->closing)
        save_later(f);
    release(f);
}

static void hand_over(struct cache_file *f)
{
    f->written = f->next;
    f->next = (struct bytes){0};
    f->busy = uv_queue_work(f->config.loop, &f->work, write_file, on_written) == 0;
    f->handles += f->busy;
    if (!f->busy)
        drop(&f->written);
}

/* What could not be is done the next time. */
static void save(struct cache_file *f)
{
    f->again_ms = uv_now(f->config.loop) + PAUSE_MS;
    drop(&f->next);
    f->next.data = f->config.make(f->config.context, &f->next.len);
    if (f->next.data && !f->busy)
        hand_over(f);
    f->changed = !f->busy;
}

static void on_timer(uv_timer_t *timer)
{
    struct cache_file *f = timer->data;
    if (f->busy)
        return;
    save(f);
    if (f->changed)
        save_later(f);
}

void cache_file_changed(struct cache_file *f)
{
    if (!f || f->changed)
        return;
    f->changed = true;
    if (!f->busy)
        save_later(f);
}

/* ---- life ---- */

int cache_file_new(const struct cache_file_config *config, struct cache_file **out)
{
    struct cache_file *f = calloc(1, sizeof(*f));
    int err = f ? folder_open(config->folder, &f->dir_fd) : ERR_NOMEM;
    if (err) {
        free(f);
        return err;
    }
    f->config = *config;
    f->work.data = f;
    uv_timer_init(config->loop, &f->timer);
    f->timer.data = f;
    f->handles = 1;
    *out = f;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void cache_file_close(struct cache_file *f)
{
    if (!f)
        return;
    if (f->changed)
        save(f);
    f->closing = true;
    uv_close((uv_handle_t *)&f->timer, on_closed);
}
