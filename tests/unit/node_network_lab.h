/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whole nodes of one network. Its CA is made, and signs, in a process beside the test: what libraries keep of keys does
 * not outlive a fork, and twins are forks of this process. */

#include "node_pair.h"

#include "base/folder.h"
#include "crypto/base64.h"
#include "crypto/certfile.h"
#include "crypto/founding.h"
#include "crypto/keyfile.h"
#include "crypto/revocations.h"
#include "crypto/secret.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NETWORK "-network", "lab", "-portmap", "off", "-sandbox", "off"

/* What the CA says of another node, in base64. */
struct papers {
    char issuer[BASE64_LEN(CERT_MAX) + 1];            /* it is the second issuer */
    char revoked[BASE64_LEN(REVOCATIONS_LEN(1)) + 1]; /* its key is shut out */
};

/* How a network is made. */
struct plan {
    const struct twin *first;  /* its issuer, and a member */
    const struct twin *second; /* a member, too; NULL: there is none */
    const struct twin *other;  /* of whom papers are; NULL: nobody */
    struct papers *papers;     /* shared with the process that signs */
    uint64_t age_s;            /* of all certificates */
};

static inline void put(int dir, const char *name, const struct founding_cert *c)
{
    assert_int_equal(certfile_write(dir, name, c->der, c->len), 0);
}

/* A network's keys and certificates while it is made. */
struct founder {
    struct founding f;
    struct identity *ca_key, *me;
    struct founding_cert ca, issuer;
};

static inline void put_member(const struct founder *o, const struct twin *t, uint8_t number)
{
    struct addr at = o->issuer.cert.slices[0].addr;
    struct founding_cert member;
    struct identity *key;
    int dir;
    at.ip[3] += number;
    assert_int_equal(identity_load(t->dir, &key), 0);
    assert_int_equal(
        founding_member(&o->f, &o->issuer.cert, o->me, identity_spki(key), t->name, &at, &member), 0);
    assert_int_equal(folder_open(t->dir, &dir), 0);
    put(dir, CERTFILE_CA, &o->ca);
    put(dir, CERTFILE_ISSUER, &o->issuer);
    put(dir, CERTFILE_MEMBER, &member);
    if (number == 1)
        put(dir, CERTFILE_OWN_ISSUER, &o->issuer);
    close(dir);
    identity_free(key);
}

static inline void sign_papers(const struct founder *o, const struct twin *t, struct papers *out)
{
    const struct node_id *ca = identity_id(o->ca_key);
    uint8_t bytes[REVOCATIONS_LEN(1)];
    struct founding_cert second;
    struct identity *key;
    assert_int_equal(identity_load(t->dir, &key), 0);
    assert_int_equal(founding_issuer(&o->f, o->ca_key, identity_spki(key), 1, &second), 0);
    const struct revocations list = {*ca, *ca, 1, o->f.now, identity_id(key), 1};
    assert_int_equal(revocations_sign(&list, o->ca_key, bytes, sizeof(bytes)), 0);
    base64_encode(second.der, second.len, out->issuer);
    base64_encode(bytes, sizeof(bytes), out->revoked);
    identity_free(key);
}

static inline void found(const struct plan *p)
{
    struct founder o = {.f = {.network = "lab", .range_count = 2, .random = &secret_source}};
    o.f.now = (uint64_t)time(NULL) - p->age_s;
    assert_int_equal(identity_generate(&o.ca_key), 0);
    assert_int_equal(identity_load(p->first->dir, &o.me), 0);
    assert_int_equal(addr_parse("10.77.7.0", 0, &o.f.ranges[0].addr), 0);
    o.f.ranges[0].bits = 24;
    o.f.ranges[1] = founding_ula(identity_id(o.ca_key));
    assert_int_equal(founding_ca(&o.f, o.ca_key, &o.ca), 0);
    assert_int_equal(founding_issuer(&o.f, o.ca_key, identity_spki(o.me), 0, &o.issuer), 0);
    put_member(&o, p->first, 1);
    if (p->second)
        put_member(&o, p->second, 2);
    if (p->other)
        sign_papers(&o, p->other, p->papers);
    identity_free(o.ca_key);
    identity_free(o.me);
}

static inline void found_beside(const struct plan *p)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        found(p);
        _exit(EXIT_SUCCESS);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* t is site-a. */
static inline void start_issuer_of(const struct plan *p, struct twin *t)
{
    found_beside(p);
    twin_start(t, FLAGS(NETWORK, "-dns", "off", "-ip", "127.0.0.1"), NULL, NULL);
    assert_true(twin_runs(t));
}

static inline void start_issuer(struct twin *t)
{
    twin_init(t, "site-a", 1);
    start_issuer_of(&(struct plan){.first = t}, t);
}

/* ---- questions ---- */

static inline json_t *result_of(const struct twin *t, json_t *request)
{
    json_t *answer = twin_ask(t, request), *result = json_incref(json_object_get(answer, "result"));
    if (!result)
        fail_msg("%s", json_string_value(json_object_get(answer, "error")));
    json_decref(answer);
    return result;
}

static inline void is_refused(const struct twin *t, json_t *request, const char *part)
{
    json_t *answer = twin_ask(t, request);
    const char *error = json_string_value(json_object_get(answer, "error"));
    assert_non_null(error);
    if (!strstr(error, part))
        fail_msg("\"%s\" has no \"%s\"", error, part);
    json_decref(answer);
}

static inline void text_of(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    snprintf(out, size, "%s", text);
}

static inline bool network_says(const struct twin *t, const char *key, const char *value)
{
    json_t *status = twin_status(t);
    const char *text = json_string_value(json_object_get(json_object_get(status, "network"), key));
    bool same = text && strcmp(text, value) == 0;
    json_decref(status);
    return same;
}

static inline void wait_network(struct twin *t, const char *key, const char *value)
{
    uint64_t until_us = clock_monotonic_us() + DEADLINE_US;
    while (!network_says(t, key, value)) {
        if (clock_monotonic_us() > until_us)
            fail_msg("%s: %s does not become %s:\n%s", t->name, key, value, t->lines);
        poll(NULL, 0, 20);
    }
}
