/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/adopted.h"

#include "base/vault.h"
#include "cli/api_client.h"
#include "cli/cli.h"
#include "cli/outside.h"
#include "crypto/identity.h"
#include "crypto/key_pem.h"
#include "crypto/keyfile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *explain(int err)
{
    switch (err) {
    case ERR_NOT_FOUND:
        return "there is no such file: give the folder that the node had as -keydir";
    case ERR_FORMAT:
        return "it holds no key of a node";
    case ERR_EXPOSED:
        return "others can read it: chmod 600, if none of them did";
    case ERR_PERMISSION:
        return "not permitted: try sudo";
    default:
        return err == ERR_IO ? strerror(errno) : err_str(err);
    }
}

static int read_key(const char *path, struct identity **out)
{
    char *pem = vault_alloc(KEY_PEM_MAX);
    bool shown;
    size_t len;
    int err = pem ? outside_read(path, pem, KEY_PEM_MAX, &len, &shown) : ERR_NOMEM;
    if (!err)
        err = shown ? ERR_EXPOSED : key_pem_decode(pem, len, NULL, out);
    vault_free(pem);
    return err;
}

static bool is_stopped(const struct cli_options *options, const char *verb, const struct identity *key)
{
    char hex[ID_TEXT_MAX];
    pid_t pid;
    if (api_client_pid(options->run_dir, identity_id(key), &pid) != 0)
        return true;
    cli_complain("%s -adopt: its node %.10s runs, process %d: stop it first, as two may not have one id",
                 verb, id_format(identity_id(key), hex), (int)pid);
    return false;
}

bool adopted_key(const struct cli_options *options, const char *verb, struct identity **out)
{
    char path[PATH_MAX];
    *out = NULL;
    if (!options->adopt)
        return true;
    int len = snprintf(path, sizeof(path), "%s/" IDENTITY_KEY_FILE, options->adopt);
    int err = len < (int)sizeof(path) ? read_key(path, out) : ERR_SPACE;
    if (err)
        cli_complain("%s -adopt %s: %s", verb, path, explain(err));
    if (err || is_stopped(options, verb, *out))
        return !err;
    identity_free(*out);
    *out = NULL;
    return false;
}
