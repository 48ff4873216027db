/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/authority.h"

#include "base/vault.h"
#include "cli/cli.h"
#include "cli/outside.h"
#include "cli/place.h"
#include "cli/secret_line.h"
#include "crypto/cert_chain.h"
#include "crypto/certfile.h"
#include "crypto/key_pem.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *reason(int err)
{
    return err == ERR_IO ? strerror(errno) : err_str(err);
}

/* ---- the certificate ---- */

/* Whoever may write there chooses no CA: it signs itself, by the key that is shown. */
static int read_cert(const char *dir, struct cert *out)
{
    char path[PATH_MAX + sizeof(CERTFILE_CA)];
    uint8_t text[CERTFILE_TEXT_MAX], der[CERT_MAX];
    size_t len = 0;
    bool shown;
    snprintf(path, sizeof(path), "%s/" CERTFILE_CA, dir);
    int err = outside_read(path, text, sizeof(text), &len, &shown);
    if (!err)
        err = certfile_decode(text, len, der, &len);
    if (!err)
        err = cert_decode(der, len, out);
    if (err)
        return err;
    enum cert_verdict verdict = cert_chain_ca((struct slice){der, len}, &out->id, (uint64_t)time(NULL), out);
    return verdict == CERT_OK || verdict == CERT_NOT_YET || verdict == CERT_EXPIRED ? 0 : ERR_FORMAT;
}

static bool find_cert(const char *verb, const struct place *place, struct cert *out)
{
    int err = read_cert(place->dir, out);
    if (err == ERR_NOT_FOUND) /* it joined */
        err = read_cert(place->keydir, out);
    if (err == ERR_NOT_FOUND)
        cli_complain("%s: there is no network %s here: %s/" CERTFILE_CA " is missing", verb, place->network,
                     place->keydir);
    else if (err)
        cli_complain("%s: " CERTFILE_CA " of %s: %s%s", verb, place->network, reason(err),
                     err == ERR_PERMISSION ? ": try sudo" : "");
    return !err;
}

/* ---- the key ---- */

static const char *explain(int err)
{
    switch (err) {
    case ERR_FORMAT:
        return "there is no key of ours in it: it is the file that `shadowmesh ca export` made";
    case ERR_MISMATCH:
        return "the passphrase does not open it";
    case ERR_EXPOSED:
        return "others can read this key, which no passphrase seals: chmod 600";
    case ERR_PERMISSION:
        return "not permitted: try sudo";
    default:
        return reason(err);
    }
}

static int decode_sealed(const char *verb, const char *pem, size_t len, struct identity **out)
{
    char phrase[PASSPHRASE_MAX];
    if (!secret_line_passphrase(verb, "The passphrase of the CA's key: ", false, phrase))
        return ERR_ARGUMENT;
    int err = key_pem_decode(pem, len, phrase, out);
    secret_wipe(phrase, sizeof(phrase));
    return err;
}

static int read_key(const char *verb, const char *file, char *pem, struct identity **out)
{
    bool shown;
    size_t len;
    int err = outside_read(file, pem, KEY_PEM_MAX, &len, &shown);
    if (err)
        return err;
    if (key_pem_is_sealed(pem, len))
        return decode_sealed(verb, pem, len, out);
    return shown ? ERR_EXPOSED : key_pem_decode(pem, len, NULL, out);
}

bool authority_read_key(const char *verb, const char *file, struct identity **out)
{
    char *pem = vault_alloc(KEY_PEM_MAX);
    int err = pem ? read_key(verb, file, pem, out) : ERR_NOMEM;
    vault_free(pem);
    if (err && err != ERR_ARGUMENT)
        cli_complain("%s: %s: %s", verb, file, explain(err));
    return !err;
}

static bool read_own_key(const char *verb, const struct place *place, struct identity **out)
{
    int err = identity_load_as(place->dir, IDENTITY_CA_FILE, out);
    if (err == ERR_NOT_FOUND)
        cli_complain(
            "%s: %s/" IDENTITY_CA_FILE
            " is not there: do it where the network was made, or give a copy of that key by -ca FILE",
            verb, place->dir);
    else if (err)
        cli_complain("%s: %s/" IDENTITY_CA_FILE ": %s", verb, place->dir, explain(err));
    return !err;
}

bool authority_is_here(const struct place *place)
{
    char path[PATH_MAX + sizeof(IDENTITY_CA_FILE)];
    snprintf(path, sizeof(path), "%s/" IDENTITY_CA_FILE, place->dir);
    return access(path, F_OK) == 0;
}

bool authority_open(const struct cli_options *options, const char *verb, const struct place *place,
                    struct authority *out)
{
    *out = (struct authority){0};
    if (!find_cert(verb, place, &out->cert))
        return false;
    if (!(options->ca ? authority_read_key(verb, options->ca, &out->key)
                      : read_own_key(verb, place, &out->key)))
        return false;
    if (id_compare(identity_id(out->key), &out->cert.id) == 0)
        return true;
    cli_complain("%s: the key of %s is another one than that of the CA of %s", verb,
                 options->ca ? options->ca : place->dir, place->network);
    identity_free(out->key);
    out->key = NULL;
    return false;
}
