/* SPDX-License-Identifier: Apache-2.0 */
#include "founded.h"

#include "crypto/secret.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void fill(void *context, void *out, size_t len)
{
    (void)context;
    secret_random(out, len);
}

static const struct random_source random_serials = {.fill = fill};

static void must(int err)
{
    if (err)
        abort();
}

static struct founding terms(const char *network)
{
    struct founding f = {.network = network, .range_count = 1, .now = FOUNDED_NOW, .random = &random_serials};
    f.ranges[0] = (struct addr_prefix){{.family = 4, .ip = {10, 7, 0, 0}}, 16};
    return f;
}

void founded_open(struct founded *f, const char *network)
{
    const struct founding t = terms(network);
    must(identity_generate(&f->ca));
    must(founding_ca(&t, f->ca, &f->ca_cert));
    for (unsigned i = 0; i < FOUNDED_ISSUERS; i++) {
        must(identity_generate(&f->issuers[i]));
        must(founding_issuer(&t, f->ca, identity_spki(f->issuers[i]), i, &f->issuer_certs[i]));
    }
}

void founded_close(struct founded *f)
{
    identity_free(f->ca);
    for (unsigned i = 0; i < FOUNDED_ISSUERS; i++)
        identity_free(f->issuers[i]);
}

struct founding_cert founded_cert(const struct founded *f, const struct sim_node *n, unsigned issuer)
{
    const struct founding t = terms(f->ca_cert.cert.network);
    const struct addr any = {0};
    struct founding_cert c;
    char name[16];
    snprintf(name, sizeof(name), "node-%u", n->number);
    must(founding_member(&t, &f->issuer_certs[issuer].cert, f->issuers[issuer], identity_spki(n->identity),
                         name, &any, &c));
    c.cert.addresses[0].ip[3] = (uint8_t)(1 + n->number);
    founded_sign(f, issuer, &c);
    return c;
}

void founded_sign(const struct founded *f, unsigned issuer, struct founding_cert *c)
{
    must(cert_sign(&c->cert, f->issuers[issuer], c->der, &c->len));
}

static struct slice bytes_of(const struct founding_cert *c)
{
    return (struct slice){c->der, c->len};
}

static struct membership_chain chain_of(const struct founded *f, unsigned issuer,
                                        const struct founding_cert *c)
{
    return (struct membership_chain){bytes_of(&f->ca_cert), bytes_of(&f->issuer_certs[issuer]), bytes_of(c)};
}

void founded_join(const struct founded *f, struct sim_node *n, unsigned issuer, const struct founding_cert *c)
{
    const struct membership_chain chain = chain_of(f, issuer, c);
    enum membership_part part;
    enum cert_verdict why;
    membership_free(n->network);
    must(membership_new(&chain, identity_spki(n->identity), &part, &why, &n->network));
    membership_set_clock(n->network, FOUNDED_NOW, sim_now(n->sim));
    sim_start_anew(n);
}

void founded_renew(const struct founded *f, struct sim_node *n, unsigned issuer,
                   const struct founding_cert *c)
{
    const struct membership_chain chain = chain_of(f, issuer, c);
    enum membership_part part;
    enum cert_verdict why;
    must(membership_renew(n->network, &chain, &part, &why));
}
