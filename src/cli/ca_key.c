/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ca_key.h"

#include "base/vault.h"
#include "cli/authority.h"
#include "cli/cli.h"
#include "cli/outside.h"
#include "cli/place.h"
#include "cli/secret_line.h"
#include "crypto/key_pem.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT "ca export"
#define REMOVE "ca remove"

/* ---- export ---- */

static int encode(const struct cli_options *options, const struct identity *key, char *pem, size_t *len)
{
    char phrase[PASSPHRASE_MAX];
    if (options->plain)
        return key_pem_encode(key, NULL, pem, len);
    if (!secret_line_passphrase(EXPORT, "A passphrase that seals the copy: ", true, phrase))
        return ERR_ARGUMENT;
    int err = key_pem_encode(key, phrase, pem, len);
    secret_wipe(phrase, sizeof(phrase));
    return err;
}

static bool tell(const char *file, int err)
{
    if (err == ERR_EXISTS)
        cli_complain(EXPORT " %s: there is such a file already, which stays as it is", file);
    else if (err && err != ERR_ARGUMENT)
        cli_complain(EXPORT " %s: %s", file, err == ERR_IO ? strerror(errno) : err_str(err));
    return !err;
}

bool ca_key_export(const struct cli_options *options, const struct place *place, const char *file)
{
    struct authority a;
    size_t len = 0;
    if (!authority_open(options, EXPORT, place, &a))
        return false;
    char *pem = vault_alloc(KEY_PEM_MAX);
    int err = pem ? encode(options, a.key, pem, &len) : ERR_NOMEM;
    if (!err)
        err = outside_write(file, pem, len);
    vault_free(pem);
    identity_free(a.key);
    if (!tell(file, err))
        return false;
    printf("%s: a copy of the key of the CA of %s%s\n"
           "`shadowmesh ca remove %s -ca %s` removes the key from this machine; its nodes go on without it\n",
           file, place->network, options->plain ? ", which nothing seals: keep it from others" : "",
           place->network, file);
    return true;
}

/* ---- remove ---- */

static bool is_copy(const struct cli_options *options, const struct place *place)
{
    struct authority a;
    if (!authority_open(options, REMOVE, place, &a))
        return false;
    identity_free(a.key);
    return true;
}

static bool is_sure(const struct cli_options *options, const struct place *place)
{
    char answer[16] = "";
    if (options->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        cli_complain(REMOVE " %s: show a copy of the key by -ca FILE, or say by -yes that there is one",
                     place->network);
        return false;
    }
    printf("Without a copy of this key nobody makes or revokes issuers of %s any more. Is there one? Type "
           "yes: ",
           place->network);
    fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0)
        return true;
    puts("nothing was removed");
    return false;
}

/* What a disk gives another file later is not the key; one that moves what is written may keep it all the same. */
static bool overwrite(int fd)
{
    char nothing[KEY_PEM_MAX] = "";
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_size <= (off_t)sizeof(nothing) &&
           write(fd, nothing, (size_t)st.st_size) == st.st_size && fsync(fd) == 0;
}

static bool remove_file(const struct place *place)
{
    int dir = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = dir < 0 ? -1 : openat(dir, IDENTITY_CA_FILE, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && overwrite(fd) && unlinkat(dir, IDENTITY_CA_FILE, 0) == 0 && fsync(dir) == 0;
    if (!ok)
        cli_complain(REMOVE ": %s/" IDENTITY_CA_FILE ": %s%s", place->dir, strerror(errno),
                     errno == EACCES ? ": try sudo" : "");
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
    return ok;
}

bool ca_key_remove(const struct cli_options *options, const struct place *place)
{
    if (!(options->ca ? is_copy(options, place) : is_sure(options, place)) || !remove_file(place))
        return false;
    printf("network %s: the key of its CA is gone from this machine; `promote`, `ca renew` and `ca revoke` "
           "take a copy by -ca FILE\n",
           place->network);
    return true;
}
