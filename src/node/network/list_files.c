/* SPDX-License-Identifier: Apache-2.0 */
/* The names say what is in a file, and decide nothing but the order in which they are read: certificates first, by which the rest is
 * judged; the CA's own list last, so that what an issuer signed before the CA shut it out stays. */

#include "node/network/list_files.h"

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "proto/network/rolls.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_US (60 * USEC_PER_SEC)

/* One write, of the pool's while it is busy. */
struct job {
    struct message_list list;
    uint8_t *bytes;
    size_t len;
    int err, cause; /* cause: errno */
};

struct list_files {
    struct list_files_config config;
    char path[PATH_MAX];
    int dir_fd;
    struct message_list saved[ROLLS_LISTS_MAX];
    unsigned saved_count;
    uv_work_t work;
    struct job job;
    bool busy, closing, told;
    uint64_t retry_us; /* nothing is written before */
};

static const char *const kinds[] = {
    [LIST_REVOCATIONS] = "revocations", [LIST_ROSTER] = "roster", [LIST_ISSUER] = "issuer"};

static void name_file(const struct message_list *l, char out[FOLDER_NAME_MAX])
{
    char hex[ID_TEXT_MAX];
    snprintf(out, FOLDER_NAME_MAX, "%s-%s", kinds[l->kind], id_format(&l->signer, hex));
}

/* ---- reading ---- */

static bool read_name(const char *name, struct message_list *out)
{
    for (unsigned kind = LIST_REVOCATIONS; kind <= LIST_ISSUER; kind++) {
        size_t len = strlen(kinds[kind]);
        if (strncmp(name, kinds[kind], len) != 0 || name[len] != '-' ||
            id_parse(name + len + 1, &out->signer))
            continue;
        out->kind = (uint8_t)kind;
        return true;
    }
    return false;
}

static struct message_list *saved_as(struct list_files *f, const struct message_list *l)
{
    for (unsigned i = 0; i < f->saved_count; i++)
        if (f->saved[i].kind == l->kind && id_compare(&f->saved[i].signer, &l->signer) == 0)
            return &f->saved[i];
    return NULL;
}

static void note_saved(struct list_files *f, const struct message_list *l)
{
    struct message_list *entry = saved_as(f, l);
    if (!entry && f->saved_count < ROLLS_LISTS_MAX)
        entry = &f->saved[f->saved_count++];
    if (entry)
        *entry = *l;
}

static void read_list(struct list_files *f, struct message_list *l, uint8_t *room)
{
    char name[FOLDER_NAME_MAX];
    size_t len;
    name_file(l, name);
    int err = folder_read(f->dir_fd, name, OWN_FILE_SHOWN, room, ROSTER_LEN_MAX + 1, &len);
    if (err) {
        log_warn("%s/%s: %s: it is not used", f->path, name, err_str(err));
        return;
    }
    enum rolls_verdict verdict = rolls_take(f->config.rolls, l->kind, (struct slice){room, len});
    if (verdict != ROLLS_NEWER)
        log_warn("%s/%s: the list %s: it is not used", f->path, name, rolls_verdict_str(verdict));
    l->number = rolls_number(f->config.rolls, l->kind, &l->signer);
    if (verdict == ROLLS_NEWER)
        note_saved(f, l);
}

/* Their order, and that of their names. */
static int compare_lists(const void *a, const void *b)
{
    static const int order[] = {[LIST_ISSUER] = 0, [LIST_ROSTER] = 1, [LIST_REVOCATIONS] = 2};
    const struct message_list *x = a, *y = b;
    return order[x->kind] != order[y->kind] ? order[x->kind] - order[y->kind]
                                            : id_compare(&x->signer, &y->signer);
}

static unsigned list_names(DIR *dir, struct message_list out[ROLLS_LISTS_MAX])
{
    const struct dirent *entry;
    unsigned count = 0;
    while (count < ROLLS_LISTS_MAX && (entry = readdir(dir)))
        count += read_name(entry->d_name, &out[count]);
    qsort(out, count, sizeof(*out), compare_lists);
    return count;
}

static void read_lists(struct list_files *f, struct message_list *lists, unsigned count)
{
    uint8_t *room = malloc(ROSTER_LEN_MAX + 1);
    for (unsigned last = 0; room && last < 2; last++)
        for (unsigned i = 0; i < count; i++)
            if (rolls_is_ca(f->config.rolls, &lists[i].signer) == (last == 1))
                read_list(f, &lists[i], room);
    free(room);
}

static int read_folder(struct list_files *f)
{
    struct message_list lists[ROLLS_LISTS_MAX] = {0};
    int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        log_error("cannot read %s: %s", f->path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    read_lists(f, lists, list_names(dir, lists));
    closedir(dir);
    return 0;
}

static int open_folder(struct list_files *f)
{
    int len = snprintf(f->path, sizeof(f->path), "%s/" LIST_FILES_FOLDER, f->config.keydir);
    errno = ENAMETOOLONG;
    int err = len < (int)sizeof(f->path) ? folder_open(f->path, &f->dir_fd) : ERR_IO;
    if (err == ERR_NOT_FOUND)
        err = mkdir(f->path, S_IRWXU) == 0 ? folder_open(f->path, &f->dir_fd) : ERR_IO;
    if (err)
        log_error("cannot keep the network's lists in %s: %s", f->path,
                  err == ERR_IO ? strerror(errno) : err_str(err));
    return err;
}

int list_files_open(const struct list_files_config *config, struct list_files **out)
{
    struct list_files *f = calloc(1, sizeof(*f));
    if (!f)
        return ERR_NOMEM;
    f->config = *config;
    int err = open_folder(f);
    if (!err && (err = read_folder(f)))
        close(f->dir_fd);
    if (err)
        free(f);
    else
        *out = f;
    return err;
}

/* ---- writing ---- */

static void write_list(uv_work_t *work)
{
    struct list_files *f = work->data;
    char name[FOLDER_NAME_MAX];
    name_file(&f->job.list, name);
    f->job.err = folder_replace(f->dir_fd, name, OWN_FILE_PRIVATE, f->job.bytes, f->job.len);
    f->job.cause = errno;
}

static void end(struct list_files *f)
{
    close(f->dir_fd);
    free(f);
}

static void tell(struct list_files *f)
{
    if (!f->told)
        log_warn("the network's lists are not kept for the next start: cannot write to %s: %s", f->path,
                 f->job.err == ERR_IO ? strerror(f->job.cause) : err_str(f->job.err));
    f->told = true;
}

static void on_written(uv_work_t *work, int status)
{
    struct list_files *f = work->data;
    f->busy = false;
    free(f->job.bytes);
    f->job.bytes = NULL;
    if (f->closing) {
        end(f);
        return;
    }
    if (status == 0 && f->job.err == 0) {
        note_saved(f, &f->job.list);
        f->told = false;
        list_files_save(f, clock_monotonic_us());
        return;
    }
    tell(f);
    f->retry_us = clock_monotonic_us() + RETRY_US;
}

static bool find_changed(struct list_files *f, struct message_list *out)
{
    struct message_list lists[ROLLS_LISTS_MAX];
    unsigned count = rolls_lists(f->config.rolls, lists);
    for (unsigned i = 0; i < count; i++) {
        const struct message_list *saved = saved_as(f, &lists[i]);
        if (saved && saved->number == lists[i].number)
            continue;
        *out = lists[i];
        return true;
    }
    return false;
}

void list_files_save(struct list_files *f, uint64_t now_us)
{
    struct message_list changed;
    if (!f || f->busy || now_us < f->retry_us || !find_changed(f, &changed))
        return;
    struct slice bytes = rolls_bytes(f->config.rolls, changed.kind, &changed.signer);
    f->job = (struct job){.list = changed, .bytes = malloc(bytes.len), .len = bytes.len};
    if (!f->job.bytes)
        return;
    memcpy(f->job.bytes, bytes.data, bytes.len);
    f->work.data = f;
    f->busy = uv_queue_work(f->config.loop, &f->work, write_list, on_written) == 0;
    if (!f->busy)
        free(f->job.bytes);
}

void list_files_close(struct list_files *f)
{
    if (!f)
        return;
    f->closing = true;
    if (!f->busy)
        end(f);
}
