/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/backup_check.h"

#include "cli/place.h"
#include "crypto/cert_chain.h"
#include "crypto/certfile.h"
#include "crypto/key_pem.h"
#include "crypto/keyfile.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The chain on its way. */
struct chain {
    const struct backup *backup;
    uint64_t now;
    struct cert ca, issuer;
    uint8_t spki[IDENTITY_SPKI_LEN];
};

static const struct slice *find(const struct backup *b, enum backup_folder folder, const char *name)
{
    const struct backup_file *f = backup_find(b, folder, name);
    return f ? &f->bytes : NULL;
}

static bool read_cert(const struct chain *c, const char *name, uint8_t der[CERT_MAX], struct slice *out)
{
    const struct slice *file = find(c->backup, BACKUP_NODE, name);
    *out = (struct slice){.data = der};
    return file && certfile_decode(file->data, file->len, der, &out->len) == 0;
}

static bool read_key(const struct backup *b, enum backup_folder folder, const char *name,
                     struct identity **out)
{
    const struct slice *file = find(b, folder, name);
    *out = NULL;
    return file && key_pem_decode((const char *)file->data, file->len, NULL, out) == 0;
}

/* Who is late is renewed. */
static bool holds(enum cert_verdict verdict)
{
    return verdict == CERT_OK || verdict == CERT_NOT_YET || verdict == CERT_RENEWABLE ||
           verdict == CERT_EXPIRED;
}

static bool check_ca(struct chain *c)
{
    uint8_t der[CERT_MAX];
    struct slice bytes;
    return read_cert(c, CERTFILE_CA, der, &bytes) && cert_decode(bytes.data, bytes.len, &c->ca) == 0 &&
           strcmp(c->ca.network, c->backup->network) == 0 &&
           holds(cert_chain_ca(bytes, &c->ca.id, c->now, &c->ca));
}

static bool check_issuer(struct chain *c, const char *name)
{
    uint8_t der[CERT_MAX];
    struct slice bytes;
    return read_cert(c, name, der, &bytes) && holds(cert_chain_issuer(&c->ca, bytes, c->now, &c->issuer));
}

static bool check_member(struct chain *c, const char *issuer, struct cert *out)
{
    uint8_t der[CERT_MAX];
    struct slice bytes;
    return check_issuer(c, issuer) && read_cert(c, CERTFILE_MEMBER, der, &bytes) &&
           holds(cert_chain_member(&c->ca, &c->issuer, bytes, c->spki, c->now, out));
}

static bool check_node_key(struct chain *c)
{
    struct identity *key;
    bool ok = read_key(c->backup, BACKUP_NODE, IDENTITY_KEY_FILE, &key);
    if (ok)
        memcpy(c->spki, identity_spki(key), sizeof(c->spki));
    identity_free(key);
    return ok;
}

static bool check_ca_key(const struct chain *c)
{
    struct identity *key;
    bool ok = read_key(c->backup, BACKUP_NETWORK, IDENTITY_CA_FILE, &key) &&
              id_compare(identity_id(key), &c->ca.id) == 0;
    identity_free(key);
    return ok;
}

static const char *check_all(struct chain *c, struct backup_content *out)
{
    if (!find(c->backup, BACKUP_NETWORK, PLACE_CONF))
        return "it has no " PLACE_CONF;
    if (!check_node_key(c))
        return "it has no " IDENTITY_KEY_FILE " that is one";
    if (!check_ca(c))
        return CERTFILE_CA " is not the certificate of its network's CA";
    if (!check_member(c, CERTFILE_ISSUER, &out->member) && !check_member(c, PLACE_LAST_ISSUER, &out->member))
        return CERTFILE_MEMBER " is no member's of that CA, or not of the key in it";
    out->issuer = find(c->backup, BACKUP_NODE, CERTFILE_OWN_ISSUER) != NULL;
    if (out->issuer &&
        (!check_issuer(c, CERTFILE_OWN_ISSUER) || id_compare(&c->issuer.id, &out->member.id) != 0))
        return CERTFILE_OWN_ISSUER " is no issuer's of that CA, or not of the key in it";
    out->ca = find(c->backup, BACKUP_NETWORK, IDENTITY_CA_FILE) != NULL;
    return out->ca && !check_ca_key(c) ? IDENTITY_CA_FILE " is not the key of that CA" : NULL;
}

const char *backup_check(const struct backup *b, struct backup_content *out)
{
    struct chain *c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    c->backup = b;
    c->now = (uint64_t)time(NULL);
    *out = (struct backup_content){0};
    const char *wrong = check_all(c, out);
    free(c);
    return wrong;
}
