/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread makes the file's bytes, the pool writes them: a disk may hang. */
#include "node/records/record_cache.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/records/record_checker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME     "records"
#define NAME_NEW "records.new"
#define SOON_MS  2000
#define PAUSE_MS 60000 /* between two writes, but for that at the end: each is of all, and an fsync */

struct record_cache {
    struct record_cache_config config;
    uv_timer_t timer;
    uv_work_t work;
    bool changed, busy, closing, told;
    unsigned handles;      /* a timer not closed and a job not done; the last one frees us */
    struct writer w;       /* what is to be written; NULL: nothing … */
    unsigned count;        /* … and of how many records */
    struct writer written; /* the pool's while it is busy */
    int failure;           /* of the last write: errno; 0: none */
    uint64_t again_ms;     /* the next one is not before */
};

/* ---- the folder, and reading ---- */

bool record_cache_prepare(const char *keydir, char *out, size_t size)
{
    int len = snprintf(out, size, "%s/" RECORD_CACHE_FOLDER, keydir);
    errno = len < (int)size ? 0 : ENAMETOOLONG;
    if (!errno && (mkdir(out, S_IRWXU) == 0 || errno == EEXIST))
        return true;
    log_warn("addresses of peers are not kept for the next start: cannot make %s: %s", out, strerror(errno));
    return false;
}

static const char *judge(int fd, size_t *len)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "it is no file";
    if (st.st_uid != geteuid())
        return "it is another user's";
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return "others can write to it";
    *len = (size_t)st.st_size;
    return st.st_size > RECORD_FILE_MAX ? "it is too long" : NULL;
}

static const char *read_all(int fd, uint8_t **out, size_t *len)
{
    size_t at = 0;
    ssize_t n = 1;
    const char *wrong = judge(fd, len);
    *out = wrong ? NULL : malloc(*len + 1);
    if (!wrong && !*out)
        wrong = strerror(ENOMEM);
    while (!wrong && at < *len && n > 0) {
        n = read(fd, *out + at, *len - at);
        at += n > 0 ? (size_t)n : 0;
    }
    *len = at;
    return wrong;
}

static const char *list_all(const uint8_t *data, size_t len,
                            void (*found)(void *context, const struct record_bytes *bytes), void *context)
{
    struct record_file file;
    struct record_bytes record;
    int err = record_file_open(&file, data, len);
    if (err)
        return "it holds no records";
    while ((err = record_file_next(&file, &record)) == 0)
        found(context, &record);
    return err == ERR_NOT_FOUND ? NULL : "it is damaged";
}

void record_cache_read(const char *folder, void (*found)(void *context, const struct record_bytes *bytes),
                       void *context)
{
    char path[PATH_MAX];
    uint8_t *data = NULL;
    size_t len;
    snprintf(path, sizeof(path), "%s/" NAME, folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return;
    const char *wrong = fd < 0 ? strerror(errno) : read_all(fd, &data, &len);
    if (!wrong)
        wrong = list_all(data, len, found, context);
    if (wrong)
        log_warn("%s: %s: the addresses of peers in it are not used", path, wrong);
    free(data);
    if (fd >= 0)
        close(fd);
}

/* ---- writing ---- */

static int write_all(int fd, const struct writer *w)
{
    for (size_t at = 0; at < writer_len(w);) {
        ssize_t n = write(fd, w->begin + at, writer_len(w) - at);
        if (n <= 0)
            return ERR_IO;
        at += (size_t)n;
    }
    return fsync(fd) == 0 ? 0 : ERR_IO;
}

/* What a crash left of another one is in the way of O_EXCL. */
static void write_file(uv_work_t *work)
{
    struct record_cache *c = work->data;
    char path[PATH_MAX], fresh[PATH_MAX];
    snprintf(path, sizeof(path), "%s/" NAME, c->config.folder);
    snprintf(fresh, sizeof(fresh), "%s/" NAME_NEW, c->config.folder);
    (void)unlink(fresh);
    c->failure = 0;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0 || write_all(fd, &c->written) || rename(fresh, path) != 0)
        c->failure = errno;
    if (fd >= 0)
        close(fd);
}

static void release(struct record_cache *c)
{
    if (--c->handles > 0)
        return;
    free(c->w.begin);
    free(c->written.begin);
    free(c);
}

static void tell_failure(struct record_cache *c)
{
    if (c->failure && !c->told)
        log_warn("%s: the addresses of peers cannot be kept there for the next start: %s", c->config.folder,
                 strerror(c->failure));
    c->told = c->failure != 0;
}

static void on_timer(uv_timer_t *timer);
static void hand_over(struct record_cache *c);

static void save_later(struct record_cache *c)
{
    uint64_t now_ms = uv_now(c->config.loop), at_ms = now_ms + SOON_MS;
    if (at_ms < c->again_ms)
        at_ms = c->again_ms;
    uv_timer_start(&c->timer, on_timer, at_ms - now_ms, 0);
}

static void drop(struct writer *w)
{
    free(w->begin);
    *w = (struct writer){0};
}

static void on_written(uv_work_t *work, int status)
{
    struct record_cache *c = work->data;
    (void)status;
    c->busy = false;
    tell_failure(c);
    drop(&c->written);
    if (c->closing && c->w.begin)
        hand_over(c);
    if (c->changed && !c->closing)
        save_later(c);
    release(c);
}

static bool make_room(struct writer *w, size_t more)
{
    size_t len = writer_len(w), cap = (size_t)(w->end - w->begin);
    if (cap - len >= more)
        return true;
    size_t next = 2 * cap + more < RECORD_FILE_MAX ? 2 * cap + more : RECORD_FILE_MAX;
    uint8_t *bytes = len + more <= next ? realloc(w->begin, next) : NULL;
    if (bytes)
        *w = (struct writer){.begin = bytes, .at = bytes + len, .end = bytes + next};
    return bytes != NULL;
}

static void add(void *to, uint64_t expiry_s, const struct record_bytes *bytes)
{
    struct record_cache *c = to;
    if (expiry_s + RECORD_CHECKER_DAY_S < clock_unix_s() || c->count == RECORD_FILE_RECORDS ||
        !make_room(&c->w, record_file_room(bytes)))
        return;
    record_file_put(&c->w, bytes);
    c->count++;
}

/* The file's bytes. Without memory for them nothing is to be written. */
static void list(struct record_cache *c)
{
    c->count = 0;
    if (!make_room(&c->w, RECORD_MAX))
        return;
    record_file_begin(&c->w);
    c->config.list(c->config.context, add, c);
    if (c->w.bad)
        drop(&c->w);
}

static void hand_over(struct record_cache *c)
{
    c->written = c->w;
    c->w = (struct writer){0};
    c->busy = uv_queue_work(c->config.loop, &c->work, write_file, on_written) == 0;
    c->handles += c->busy;
    if (!c->busy)
        drop(&c->written);
}

/* What could not be is done the next time. */
static void save(struct record_cache *c)
{
    c->again_ms = uv_now(c->config.loop) + PAUSE_MS;
    list(c);
    if (c->w.begin && !c->busy)
        hand_over(c);
    c->changed = !c->busy;
}

static void on_timer(uv_timer_t *timer)
{
    struct record_cache *c = timer->data;
    if (c->busy)
        return;
    save(c);
    if (c->changed)
        save_later(c);
}

void record_cache_changed(struct record_cache *c)
{
    if (!c || c->changed)
        return;
    c->changed = true;
    if (!c->busy)
        save_later(c);
}

/* ---- life ---- */

int record_cache_new(const struct record_cache_config *config, struct record_cache **out)
{
    struct record_cache *c = calloc(1, sizeof(*c));
    if (!c)
        return ERR_NOMEM;
    c->config = *config;
    c->work.data = c;
    uv_timer_init(config->loop, &c->timer);
    c->timer.data = c;
    c->handles = 1;
    *out = c;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void record_cache_close(struct record_cache *c)
{
    if (!c)
        return;
    if (c->changed)
        save(c);
    c->closing = true;
    uv_close((uv_handle_t *)&c->timer, on_closed);
}
