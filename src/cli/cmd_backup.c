/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh backup: what this machine has of a network, in one file. The node may run: it replaces its files as a whole. */
#include "cli/cmd.h"

#include "base/vault.h"
#include "cli/backup_check.h"
#include "cli/cli.h"
#include "cli/outside.h"
#include "cli/place.h"
#include "cli/secret_line.h"
#include "crypto/certfile.h"
#include "crypto/keyfile.h"
#include "crypto/sealed.h"
#include "crypto/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What is read on the way. */
struct work {
    struct backup backup;
    uint8_t *room; /* BACKUP_MAX bytes */
    size_t used;
};

/* Rosters and peers' records come back by themselves. */
static const struct {
    enum backup_folder folder;
    const char *name;
} files[] = {
    {BACKUP_NETWORK, PLACE_CONF},       {BACKUP_NETWORK, IDENTITY_CA_FILE}, {BACKUP_NETWORK, CERTFILE_CA},
    {BACKUP_NODE, IDENTITY_KEY_FILE},   {BACKUP_NODE, CERTFILE_CA},         {BACKUP_NODE, CERTFILE_ISSUER},
    {BACKUP_NODE, CERTFILE_OWN_ISSUER}, {BACKUP_NODE, CERTFILE_MEMBER},     {BACKUP_NODE, PLACE_LAST_ISSUER},
    {BACKUP_NODE, PLACE_LEDGER},
};

static bool fail(const char *what, int err)
{
    cli_complain("backup: %s: %s%s", what, err == ERR_IO ? strerror(errno) : err_str(err),
                 err == ERR_PERMISSION ? ": try sudo" : "");
    return false;
}

/* One that is not there is left out. */
static bool take(struct work *w, int dir_fd, enum backup_folder folder, const char *name)
{
    struct backup_file f = {.folder = folder, .bytes.data = w->room + w->used};
    int err = strlen(name) < sizeof(f.name)
                  ? outside_read_in(dir_fd, name, w->room + w->used, BACKUP_MAX - w->used, &f.bytes.len)
                  : ERR_ARGUMENT;
    if (err == ERR_NOT_FOUND)
        return true;
    if (!err) {
        strcpy(f.name, name);
        w->used += f.bytes.len;
        err = backup_add(&w->backup, &f);
    }
    return err ? fail(name, err) : true;
}

static bool is_wanted_list(const char *name)
{
    return strncmp(name, "revocations-", 12) == 0 || strncmp(name, "issuer-", 7) == 0;
}

/* Takes fd. */
static bool take_lists(struct work *w, int fd)
{
    DIR *dir = fdopendir(fd);
    bool ok = dir != NULL;
    if (!dir)
        close(fd);
    for (struct dirent *entry; ok && (entry = readdir(dir)) != NULL;)
        ok = !is_wanted_list(entry->d_name) || take(w, dirfd(dir), BACKUP_LISTS, entry->d_name);
    if (dir)
        closedir(dir);
    return ok;
}

static bool take_folder(struct work *w, enum backup_folder folder, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 || fail(path, err_from_errno(errno));
    for (size_t i = 0; ok && i < sizeof(files) / sizeof(files[0]); i++)
        ok = files[i].folder != folder || take(w, fd, folder, files[i].name);
    int lists = ok && folder == BACKUP_NODE
                    ? openat(fd, PLACE_LISTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                    : -1;
    if (lists >= 0)
        ok = take_lists(w, lists);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool write_bytes(const char *file, const uint8_t *bytes, size_t len)
{
    int err = outside_write(file, bytes, len);
    if (err == ERR_EXISTS)
        cli_complain("backup: %s is there already, and stays as it is", file);
    else if (err)
        fail(file, err);
    return !err;
}

static bool write_sealed(const char *file, const uint8_t *bytes, size_t len)
{
    char phrase[PASSPHRASE_MAX];
    uint8_t *sealed = malloc(len + SEALED_MORE);
    bool ok =
        sealed && secret_line_passphrase("backup", "A passphrase that seals the backup: ", true, phrase);
    int err = ok ? sealed_encode(phrase, bytes, len, sealed) : 0;
    secret_wipe(phrase, sizeof(phrase));
    ok = ok && (!err || fail(file, err)) && write_bytes(file, sealed, len + SEALED_MORE);
    free(sealed);
    return ok;
}

static bool write_out(const struct work *w, const char *file, bool plain)
{
    uint8_t *bytes = vault_alloc(BACKUP_MAX);
    size_t len = 0;
    int err = bytes ? backup_encode(&w->backup, bytes, BACKUP_MAX, &len) : ERR_NOMEM;
    bool ok = err ? fail(file, err) : plain ? write_bytes(file, bytes, len) : write_sealed(file, bytes, len);
    vault_free(bytes);
    return ok;
}

static bool back_up(struct work *w, const struct place *p, const char *file, bool plain)
{
    struct backup_content content;
    if (!take_folder(w, BACKUP_NETWORK, p->dir) || !take_folder(w, BACKUP_NODE, p->keydir))
        return false;
    const char *wrong = backup_check(&w->backup, &content);
    if (wrong)
        cli_complain("backup %s: this would bring no node back: %s", p->network, wrong);
    if (wrong || !write_out(w, file, plain))
        return false;
    printf("%s: %s of %s%s%s, in %u files%s\n", file, content.member.name, p->network,
           content.issuer ? ", an issuer with its ledger" : "", content.ca ? ", the CA's key" : "",
           w->backup.count, plain ? "; keys are in it, and nothing seals them: keep it from others" : "");
    return true;
}

int cmd_backup(const struct cli_options *options)
{
    struct place p;
    struct work w = {.backup.time = (uint64_t)time(NULL)};
    const char *wrong = place_init(options, options->words[0], &p);
    if (wrong || options->word_count != 2) {
        cli_complain("backup: %s", wrong ? wrong : "it is: shadowmesh backup NAME FILE");
        return CLI_USAGE;
    }
    if (!place_exists(&p)) {
        cli_complain("there is no network %s here: %s is missing", p.network, p.conf);
        return CLI_NO_NODE;
    }
    memcpy(w.backup.network, p.network, sizeof(w.backup.network));
    w.room = vault_alloc(BACKUP_MAX);
    bool ok = w.room ? back_up(&w, &p, options->words[1], options->plain) : fail(p.network, ERR_NOMEM);
    vault_free(w.room);
    return ok ? CLI_OK : CLI_FAILURE;
}
