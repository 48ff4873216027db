/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh restore: what `backup` took is there again, on this machine or another one. Nothing is written before all was judged,
 * and nothing that is there is touched. */
#include "cli/cmd.h"

#include "base/vault.h"
#include "cli/backup_check.h"
#include "cli/cli.h"
#include "cli/making.h"
#include "cli/outside.h"
#include "cli/place.h"
#include "cli/secret_line.h"
#include "crypto/sealed.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX (BACKUP_MAX + SEALED_MORE + 1) /* bytes, and one more that tells a longer one */

/* ---- reading ---- */

static const char *explain(int err)
{
    switch (err) {
    case ERR_FORMAT:
        return "this is no backup: it is the file that `shadowmesh backup` made";
    case ERR_UNSUPPORTED:
        return "it is of another version of ShadowMesh: update this one";
    case ERR_MISMATCH:
        return "it was cut or altered: take another copy of it";
    case ERR_EXPOSED:
        return "others can read it, and keys are in it: chmod 600";
    case ERR_PERMISSION:
        return "not permitted: try sudo";
    default:
        return err == ERR_IO ? strerror(errno) : err_str(err);
    }
}

/* In place: what is plain is shorter. False when it complained. */
static bool unseal(const char *file, uint8_t *room, size_t *len)
{
    char phrase[PASSPHRASE_MAX];
    uint8_t *sealed = malloc(*len);
    bool ok = sealed && secret_line_passphrase("restore", "The passphrase of the backup: ", false, phrase);
    if (ok)
        memcpy(sealed, room, *len);
    int err = ok ? sealed_decode(phrase, sealed, *len, room, len) : 0;
    secret_wipe(phrase, sizeof(phrase));
    free(sealed);
    if (err)
        cli_complain("restore %s: %s", file,
                     err == ERR_MISMATCH ? "the passphrase does not open it, or it was altered"
                                         : explain(err));
    return ok && !err;
}

static bool read_backup(const char *file, uint8_t *room, struct backup *b, struct backup_content *content)
{
    bool shown;
    size_t len;
    int err = outside_read(file, room, FILE_MAX, &len, &shown);
    bool sealed = !err && sealed_is(room, len);
    if (sealed && !unseal(file, room, &len))
        return false;
    if (!err)
        err = shown && !sealed ? ERR_EXPOSED : backup_decode(room, len, b);
    const char *wrong = err ? explain(err) : backup_check(b, content);
    if (wrong)
        cli_complain("restore %s: %s", file, wrong);
    return !wrong;
}

/* ---- writing ---- */

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), n = strlen(end);
    return len >= n && strcmp(name + len - n, end) == 0;
}

static bool put(struct making *m, int lists_fd, const struct backup_file *f)
{
    bool shown = ends_in(f->name, ".pem") || strcmp(f->name, PLACE_CONF) == 0;
    int fd = f->folder == BACKUP_NETWORK ? m->dir.fd : f->folder == BACKUP_NODE ? m->keydir_fd : lists_fd;
    int err =
        folder_write(fd, f->name, shown ? OWN_FILE_SHOWN : OWN_FILE_PRIVATE, f->bytes.data, f->bytes.len);
    return err ? making_fail(m, f->name, err) : true;
}

static int open_lists(const struct making *m)
{
    if (mkdirat(m->keydir_fd, PLACE_LISTS, S_IRWXU) != 0)
        return -1;
    return openat(m->keydir_fd, PLACE_LISTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool write_all(const struct backup *b, bool issuer, struct making *m)
{
    int lists = open_lists(m);
    bool ok = lists >= 0 || making_fail(m, PLACE_LISTS, err_from_errno(errno));
    if (ok && issuer)
        ok = making_put_secret(m, PLACE_RESTORED, "", 0);
    for (unsigned i = 0; ok && i < b->count; i++)
        ok = put(m, lists, &b->files[i]);
    if (ok && fsync(lists) != 0)
        ok = making_fail(m, PLACE_LISTS, err_from_errno(errno));
    if (lists >= 0)
        close(lists);
    return ok && making_publish(m);
}

/* ---- the verb ---- */

static bool make(const struct cli_options *options, const struct backup *b, bool issuer, struct place *p)
{
    struct making m;
    const char *wrong = place_init(options, b->network, p);
    if (!wrong && place_exists(p))
        wrong = "this network is here already, and stays as it is";
    if (wrong)
        cli_complain("restore: %s: %s", b->network, wrong);
    return !wrong && making_begin(p, &m) && write_all(b, issuer, &m);
}

static void tell(const struct place *p, const struct backup *b, const struct backup_content *c)
{
    char when[32] = "";
    struct tm tm;
    time_t made = (time_t)b->time;
    if (gmtime_r(&made, &tm))
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M UTC", &tm);
    printf("network %s: %s is here again, as of %s%s%s\n"
           "`shadowmesh up %s` starts it: only where the node that it is a copy of runs no more\n",
           p->network, c->member.name, when, c->issuer ? ", an issuer" : "",
           c->ca ? ", with the key of the CA" : "", p->network);
}

int cmd_restore(const struct cli_options *options)
{
    struct backup b;
    struct backup_content content;
    struct place p;
    uint8_t *room = vault_alloc(FILE_MAX);
    bool ok =
        room && read_backup(options->words[0], room, &b, &content) && make(options, &b, content.issuer, &p);
    if (ok)
        tell(&p, &b, &content);
    else if (!room)
        cli_complain("restore: %s", err_str(ERR_NOMEM));
    vault_free(room);
    return ok ? CLI_OK : CLI_FAILURE;
}
