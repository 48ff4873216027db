/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/network.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/certfile.h"
#include "crypto/identity.h"
#include "crypto/secret.h"
#include "node/config/config.h"
#include "node/network/issuer.h"
#include "node/network/joining.h"
#include "node/network/life.h"
#include "node/network/list_files.h"
#include "node/network/network_files.h"
#include "proto/mesh/mesh.h"
#include "proto/network/membership.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLOCK_US (10 * USEC_PER_SEC) /* between looks at the wall clock */

struct network {
    const struct config *config;
    const struct identity *me;
    struct membership *ms;   /* NULL: this node joins */
    struct joining *joining; /* … by this */
    struct issuer *issuer;   /* NULL: it is none */
    struct mesh *mesh;       /* NULL until it begins */
    struct network_der own;  /* its certificate as an issuer, or none */
    int dir;                 /* KEYDIR */
    char id[ID_TEXT_MAX];
    const char *text;  /* what people have to know */
    uint64_t clock_us; /* when the wall clock was looked at */
};

static const char *file_of(enum membership_part part)
{
    switch (part) {
    case MEMBERSHIP_CA:
        return CERTFILE_CA;
    case MEMBERSHIP_ISSUER:
        return CERTFILE_ISSUER;
    case MEMBERSHIP_MEMBER:
        return CERTFILE_MEMBER;
    }
    return "";
}

static int tell_missing(const struct config *c, const struct network_files *files)
{
    const char *name = !files->member.len   ? CERTFILE_MEMBER
                       : !files->issuer.len ? CERTFILE_ISSUER
                                            : CERTFILE_CA;
    log_error("-network %s: %s/%s is missing: `shadowmesh join` gets what a member needs, `shadowmesh up %s` "
              "makes a "
              "network",
              c->network, c->keydir, name, c->network);
    return ERR_NOT_FOUND;
}

static struct slice der_of(const struct network_der *der)
{
    return (struct slice){der->bytes, der->len};
}

static int judge(struct network *n, const struct network_files *files, const struct identity *me)
{
    const struct config *c = n->config;
    const struct membership_chain chain = {der_of(&files->ca), der_of(&files->issuer),
                                           der_of(&files->member)};
    enum membership_part part;
    enum cert_verdict why;
    if (!files->ca.len || !files->issuer.len || !files->member.len)
        return tell_missing(c, files);
    const struct membership_chain last = {chain.ca, der_of(&files->last_issuer), chain.member};
    int err = membership_new(&chain, identity_spki(me), &part, &why, &n->ms);
    if (err == ERR_CRYPTO && part == MEMBERSHIP_MEMBER && last.issuer.len &&
        membership_new(&last, identity_spki(me), &part, &why, &n->ms) == 0)
        err = 0; /* a stop came between two files of a renewal */
    if (err == ERR_CRYPTO)
        log_error("-network %s: %s/%s: the certificate %s", c->network, c->keydir, file_of(part),
                  cert_verdict_str(why));
    else if (err)
        log_error("-network %s: %s", c->network, err_str(err));
    if (err)
        return err;
    if (strcmp(membership_ca(n->ms)->network, c->network) == 0)
        return 0;
    log_error("-network %s: %s/" CERTFILE_CA " is of the network %s", c->network, c->keydir,
              membership_ca(n->ms)->network);
    return ERR_MISMATCH;
}

/* False: it is what own-issuer.pem has, or was to have. */
static bool is_new(struct network *n, struct slice certificate)
{
    if (!certificate.len ||
        (n->own.len == certificate.len && memcmp(n->own.bytes, certificate.data, certificate.len) == 0))
        return false;
    memcpy(n->own.bytes, certificate.data, certificate.len); /* at most CERT_MAX: the rolls hold it */
    n->own.len = certificate.len;
    return true;
}

static int open_issuer(struct network *n)
{
    const struct issuer_config config = {.keydir = n->dir,
                                         .me = n->me,
                                         .membership = n->ms,
                                         .life_s = n->config->certificate_s,
                                         .random = secret_source};
    int err = issuer_open(&config, &n->issuer);
    (void)is_new(n, network_own_issuer(n));
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int judge_or_join(struct network *n, const struct network_files *files)
{
    if (files->token && !files->member.len) {
        (void)!mkdirat(n->dir, LIST_FILES_FOLDER, S_IRWXU); /* that of a member; its cage makes none */
        return joining_open(n->config, n->dir, n->me, &n->joining);
    }
    if (files->token) /* the stop came between its last two steps */
        unlinkat(n->dir, NETWORK_TOKEN_FILE, 0);
    int err = judge(n, files, n->me);
    return err ? err : open_issuer(n);
}

static int read_and_judge(struct network *n)
{
    struct network_files *files = calloc(1, sizeof(*files));
    int err = files ? network_files_read(n->dir, n->config->keydir, files) : ERR_NOMEM;
    if (!err)
        err = judge_or_join(n, files);
    free(files);
    return err;
}

static void say(const struct network *n)
{
    const struct cert *me = network_me(n);
    enum cert_verdict verdict = membership_own(n->ms, clock_monotonic_us());
    log_info("network %s (%.10s): this node is %s%s", n->config->network, n->id, me->name,
             n->issuer ? ", an issuer" : "");
    if (verdict != CERT_OK)
        log_warn("network %s: this node's certificate %s: is the clock right?", n->config->network,
                 cert_verdict_str(verdict));
}

static void be_member(struct network *n)
{
    id_format(&membership_ca(n->ms)->id, n->id);
    membership_set_clock(n->ms, clock_unix_s(), clock_monotonic_us());
    say(n);
}

int network_open(const struct config *config, const struct identity *me, struct network **out)
{
    struct network *n = calloc(1, sizeof(*n));
    if (!n) {
        log_error("out of memory");
        return ERR_NOMEM;
    }
    n->config = config;
    n->dir = network_files_open(config->keydir);
    n->me = me;
    int err = n->dir < 0 ? ERR_IO : read_and_judge(n);
    if (err) {
        network_close(n);
        return err;
    }
    if (n->ms)
        be_member(n);
    *out = n;
    return 0;
}

void network_close(struct network *n)
{
    if (!n)
        return;
    issuer_free(n->issuer);
    joining_close(n->joining);
    membership_free(n->ms);
    if (n->dir >= 0)
        close(n->dir);
    free(n);
}

int network_begin(struct network *n, struct mesh *mesh)
{
    n->mesh = mesh;
    return n->joining ? joining_begin(n->joining, mesh) : 0;
}

bool network_on_asked(struct network *n)
{
    if (!n->joining || !joining_on_asked(n->joining) || read_and_judge(n))
        return false;
    joining_close(n->joining);
    n->joining = NULL;
    be_member(n);
    mesh_set_network(n->mesh, n->ms);
    return true;
}

struct membership *network_membership(const struct network *n)
{
    return n->ms;
}

const struct cert *network_me(const struct network *n)
{
    return n->ms ? membership_me(n->ms) : NULL;
}

struct slice network_own_issuer(const struct network *n)
{
    return n->issuer ? issuer_serving(n->issuer)->certificate : (struct slice){0};
}

bool network_promote(struct network *n, struct slice certificate)
{
    bool was = n->issuer != NULL;
    if (!is_new(n, certificate))
        return false;
    int err = certfile_write(n->dir, CERTFILE_OWN_ISSUER, certificate.data, certificate.len);
    if (err)
        log_error("network %s: this node was made an issuer, and " CERTFILE_OWN_ISSUER
                  " cannot be written: %s",
                  n->config->network, err == ERR_IO ? strerror(errno) : err_str(err));
    else if (was && issuer_recertify(n->issuer, certificate))
        log_info("network %s: this node has a new certificate as an issuer", n->config->network);
    else if (!was)
        err = open_issuer(n);
    if (err || was)
        return false;
    log_info("network %s: this node is an issuer from now on", n->config->network);
    return true;
}

struct issuer *network_issuer(const struct network *n)
{
    return n->issuer;
}

const struct serving_issuer *network_serving(const struct network *n)
{
    return n->issuer ? issuer_serving(n->issuer) : NULL;
}

int network_keydir(const struct network *n)
{
    return n->dir;
}

void network_tell(struct network *n, const char *text)
{
    n->text = text;
}

/* The subnet of the network that an address is in. */
static uint8_t bits_of(const struct cert *ca, const struct addr *a)
{
    for (unsigned i = 0; i < ca->range_count; i++)
        if (addr_in_prefix(a, &ca->ranges[i]))
            return ca->ranges[i].bits;
    return a->family == 4 ? 32 : 128;
}

unsigned network_addresses(const struct network *n, struct addr_prefix *out)
{
    const struct cert *me = network_me(n);
    for (unsigned i = 0; me && i < me->address_count; i++)
        out[i] = (struct addr_prefix){me->addresses[i], bits_of(membership_ca(n->ms), &me->addresses[i])};
    return me ? me->address_count : 0;
}

void network_tick(struct network *n, uint64_t now_us)
{
    if (n->joining)
        joining_tick(n->joining, now_us);
    if (!n->ms || now_us - n->clock_us < CLOCK_US)
        return;
    n->clock_us = now_us;
    membership_set_clock(n->ms, clock_unix_s(), now_us);
}

static struct network_status status_of_joining(const struct network *n)
{
    const struct joining_status j = joining_status(n->joining);
    return (struct network_status){.name = n->config->network,
                                   .id = n->id,
                                   .state = j.refused ? "refused" : "joining",
                                   .step = j.step,
                                   .text = j.text};
}

struct network_status network_status(const struct network *n, uint64_t now_us)
{
    if (n->joining)
        return status_of_joining(n);
    const struct cert *me = network_me(n);
    enum cert_verdict verdict = membership_own(n->ms, now_us);
    return (struct network_status){.name = n->config->network,
                                   .id = n->id,
                                   .state = verdict == CERT_OK ? "member" : "expired",
                                   .step = "member",
                                   .text = n->text && n->text[0] ? n->text
                                           : verdict == CERT_OK  ? ""
                                                                 : cert_verdict_str(verdict),
                                   .issuer = n->issuer != NULL,
                                   .not_before = me->not_before,
                                   .not_after = me->not_after,
                                   .spent = life_spent(me, membership_now(n->ms, now_us)),
                                   .issuer_not_after = n->issuer ? issuer_cert(n->issuer)->not_after : 0};
}
