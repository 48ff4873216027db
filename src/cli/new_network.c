/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/new_network.h"

#include "cli/cli.h"
#include "cli/making.h"
#include "cli/host_subnets.h"
#include "crypto/certfile.h"
#include "crypto/founding.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"

#include <stdlib.h>
#include <time.h>

/* All that is on its way to disk. */
struct work {
    const struct new_network *plan;
    struct founding founding;
    struct identity *ca_key, *made_key;
    const struct identity *key; /* the plan's, or made_key */
    struct founding_cert ca, issuer, member;
};

static int choose_range(const struct addr_prefix *chosen, struct addr_prefix *out)
{
    static struct addr_prefix taken[HOST_SUBNETS_MAX];
    *out = *chosen;
    return chosen->addr.family
               ? 0
               : founding_range(&secret_source, taken, host_subnets_list(taken, HOST_SUBNETS_MAX), out);
}

static int make_keys(struct work *w)
{
    int err = identity_generate(&w->ca_key);
    if (!err && !w->plan->key)
        err = identity_generate(&w->made_key);
    w->key = w->plan->key ? w->plan->key : w->made_key;
    return err;
}

static int begin(struct work *w, const struct place *place)
{
    struct founding *f = &w->founding;
    int err = make_keys(w);
    *f = (struct founding){
        .network = place->network, .range_count = 2, .now = (uint64_t)time(NULL), .random = &secret_source};
    if (!err)
        err = choose_range(&w->plan->range, &f->ranges[0]);
    if (!err)
        f->ranges[1] = w->plan->range6.addr.family ? w->plan->range6 : founding_ula(identity_id(w->ca_key));
    return err;
}

static int certify(struct work *w)
{
    const struct founding *f = &w->founding;
    int err = founding_ca(f, w->ca_key, &w->ca);
    if (!err)
        err = founding_issuer(f, w->ca_key, identity_spki(w->key), 0, &w->issuer);
    return err ? err
               : founding_member(f, &w->issuer.cert, w->key, identity_spki(w->key), w->plan->name,
                                 &w->plan->tap_ip, &w->member);
}

static bool put_cert(struct making *m, int dir_fd, const char *name, const struct founding_cert *c)
{
    int err = certfile_write(dir_fd, name, c->der, c->len);
    return err ? making_fail(m, name, err) : true;
}

static bool put_key(struct making *m, const char *dir, const char *name, const struct identity *key)
{
    int err = identity_save_as(key, dir, name);
    return err ? making_fail(m, name, err) : true;
}

static bool put_conf(struct making *m, const struct node_conf *conf)
{
    char *text = node_conf_text(conf);
    bool ok = making_put(m, PLACE_CONF, text);
    free(text);
    return ok;
}

static bool write_all(const struct work *w, struct making *m)
{
    return put_key(m, m->dir.path, IDENTITY_CA_FILE, w->ca_key) &&
           put_key(m, m->keydir_path, IDENTITY_KEY_FILE, w->key) &&
           put_cert(m, m->dir.fd, CERTFILE_CA, &w->ca) && put_cert(m, m->keydir_fd, CERTFILE_CA, &w->ca) &&
           put_cert(m, m->keydir_fd, CERTFILE_ISSUER, &w->issuer) &&
           put_cert(m, m->keydir_fd, CERTFILE_OWN_ISSUER, &w->issuer) &&
           put_cert(m, m->keydir_fd, CERTFILE_MEMBER, &w->member) && put_conf(m, &w->plan->conf);
}

/* Why there can be no such network, which no file has to do with. */
static bool refuse(const struct new_network *plan, int err)
{
    if (err == ERR_SPACE && plan->tap_ip.family)
        cli_complain("-tap-ip: this node gives addresses of the first half of the range, and has one itself: "
                     "choose one there");
    else if (err == ERR_SPACE)
        cli_complain(
            "no 10.x.y.0/24 is left that overlaps no address or route of this machine: choose one by -range");
    else
        cli_complain("the network cannot be made: %s", err_str(err));
    return false;
}

bool new_network_make(const struct place *place, const struct new_network *plan, struct cert *ca,
                      struct cert *member)
{
    struct work *w = calloc(1, sizeof(*w));
    struct making m;
    if (!w)
        abort();
    w->plan = plan;
    int err = begin(w, place);
    if (!err)
        err = certify(w);
    bool ok = err ? refuse(plan, err) : making_begin(place, &m) && write_all(w, &m) && making_publish(&m);
    *ca = w->ca.cert;
    *member = w->member.cert;
    identity_free(w->ca_key);
    identity_free(w->made_key);
    free(w);
    return ok;
}
