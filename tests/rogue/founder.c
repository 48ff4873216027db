/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a whole network for labs, without anybody joining:
 *
 *     founder DIR NETWORK IPV4-RANGE AGE LIFE NAME[!][@ISSUER][+]…
 *
 * DIR has ca.key and ca.pem; DIR/NAME is each node's KEYDIR. The first is an issuer, as is each with a "!". A member's
 * certificate is of ISSUER, or of the first; one with a "+" has the role relay. Certificates are AGE seconds old, and a member's lives LIFE seconds from then.
 * Prints a line for each: name, id, addresses. */

#include "base/folder.h"
#include "crypto/certfile.h"
#include "crypto/founding.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NODES_MAX 64

struct node {
    char name[CERT_LABEL_MAX];
    struct identity *key;
    struct founding_cert issuer; /* len 0: it is none */
    uint32_t given;              /* addresses of its slice */
    int dir;
};

static struct node nodes[NODES_MAX];
static unsigned node_count;
static struct founding founding;
static struct founding_cert ca;
static struct identity *ca_key;
static uint64_t life;

static void check(int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "founder: %s: %s\n", what, err_str(err));
    exit(1);
}

static void put(int dir, const char *file, const struct founding_cert *c)
{
    check(certfile_write(dir, file, c->der, c->len), file);
}

static int make_folder(const char *path)
{
    int fd;
    if (mkdir(path, 0700) != 0)
        check(ERR_EXISTS, path);
    check(folder_open(path, &fd), path);
    return fd;
}

/* The certificate of the next address of the issuer's slice, with its life shortened and signed again. */
static void certify(const struct node *node, struct node *issuer, uint16_t roles, struct founding_cert *out)
{
    struct addr ip = issuer->issuer.cert.slices[0].addr;
    ip.ip[3] = (uint8_t)(ip.ip[3] + ++issuer->given);
    check(founding_member(&founding, &issuer->issuer.cert, issuer->key, identity_spki(node->key), node->name,
                          &ip, out),
          node->name);
    out->cert.not_after = founding.now + life;
    out->cert.roles = roles;
    check(cert_sign(&out->cert, issuer->key, out->der, &out->len), node->name);
}

static struct node *find(const char *name)
{
    for (unsigned i = 0; i < node_count; i++)
        if (strcmp(nodes[i].name, name) == 0 && nodes[i].issuer.len)
            return &nodes[i];
    check(ERR_NOT_FOUND, name);
    return NULL;
}

static void begin(const char *dir, const char *word)
{
    struct node *n = &nodes[node_count++];
    char path[4096];
    static unsigned issuers;
    size_t len = strcspn(word, "!@+");
    snprintf(n->name, sizeof(n->name), "%.*s", (int)len, word);
    snprintf(path, sizeof(path), "%s/%s", dir, n->name);
    n->dir = make_folder(path);
    check(identity_generate(&n->key), "key");
    check(identity_save(n->key, path), path);
    put(n->dir, CERTFILE_CA, &ca);
    if (n != nodes && word[len] != '!')
        return;
    check(founding_issuer(&founding, ca_key, identity_spki(n->key), issuers++, &n->issuer), n->name);
    put(n->dir, CERTFILE_OWN_ISSUER, &n->issuer);
}

static void finish(struct node *n, const char *word)
{
    struct founding_cert member;
    char text[ADDR_TEXT_MAX], hex[ID_TEXT_MAX];
    char by[CERT_LABEL_MAX] = "";
    const char *at = strchr(word, '@');
    if (at)
        snprintf(by, sizeof(by), "%.*s", (int)strcspn(at + 1, "+"), at + 1);
    struct node *issuer = at ? find(by) : nodes;
    certify(n, issuer, strchr(word, '+') ? CERT_ROLE_RELAY : 0, &member);
    put(n->dir, CERTFILE_ISSUER, &issuer->issuer);
    put(n->dir, CERTFILE_MEMBER, &member);
    id_format(identity_id(n->key), hex);
    printf("%s %s", n->name, hex);
    for (unsigned i = 0; i < member.cert.address_count; i++)
        printf(" %s", addr_format(&member.cert.addresses[i], text));
    puts("");
}

static void found(const char *dir, const char *network, const char *range, uint64_t age)
{
    char host[ADDR_TEXT_MAX];
    size_t len = strcspn(range, "/");
    snprintf(host, sizeof(host), "%.*s", (int)len, range);
    check(identity_generate(&ca_key), "key");
    founding = (struct founding){
        .network = network, .range_count = 2, .now = (uint64_t)time(NULL) - age, .random = &secret_source};
    check(addr_parse(host, 0, &founding.ranges[0].addr), range);
    founding.ranges[0].bits = (uint8_t)atoi(range + len + 1);
    founding.ranges[1] = founding_ula(identity_id(ca_key));
    check(founding_ca(&founding, ca_key, &ca), "CA");
    int fd = make_folder(dir);
    put(fd, CERTFILE_CA, &ca);
    check(identity_save_as(ca_key, dir, IDENTITY_CA_FILE), dir);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc < 7 || argc > 6 + NODES_MAX || !strchr(argv[3], '/'))
        return 2;
    life = strtoull(argv[5], NULL, 10);
    found(argv[1], argv[2], argv[3], strtoull(argv[4], NULL, 10));
    for (int i = 6; i < argc; i++)
        begin(argv[1], argv[i]);
    for (int i = 6; i < argc; i++)
        finish(&nodes[i - 6], argv[i]);
    return 0;
}
