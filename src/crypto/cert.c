/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates as a whole: what was signed, the algorithm, the signature. Any thread. docs/PROTOCOL.md §22. */

#include "crypto/cert.h"

#include "crypto/cert_rules.h"
#include "crypto/cert_tbs.h"
#include "crypto/der.h"

/* RFC 9881 §3: signed without a context string. */
#define CONTEXT ""

/* A certificate around what was signed. */
static void put_certificate(struct writer *w, struct slice tbs,
                            const uint8_t signature[IDENTITY_SIGNATURE_LEN])
{
    size_t whole = der_open(w, DER_SEQUENCE), bits;

    writer_put(w, tbs.data, tbs.len);
    cert_tbs_put_algorithm(w);
    bits = der_open(w, DER_BIT_STRING);
    writer_u8(w, 0); /* no unused bits */
    writer_put(w, signature, IDENTITY_SIGNATURE_LEN);
    der_close(w, bits);
    der_close(w, whole);
}

int cert_sign(const struct cert *cert, const struct identity *signer, uint8_t out[CERT_MAX], size_t *len)
{
    uint8_t tbs[CERT_MAX], signature[IDENTITY_SIGNATURE_LEN];
    struct writer w = writer_init(tbs, sizeof(tbs));
    struct cert named = *cert;
    int err = identity_id_of_spki(cert->spki, sizeof(cert->spki), &named.id);

    *len = 0;
    if (err)
        return err;
    if (!cert_rules_hold(&named))
        return ERR_ARGUMENT;
    if (id_compare(&named.issuer, identity_id(signer)) != 0)
        return ERR_MISMATCH;
    cert_tbs_put(&named, &w);
    if (w.bad)
        return ERR_SPACE;
    err = identity_sign(signer, CONTEXT, tbs, writer_len(&w), signature);
    if (err)
        return err;
    struct slice signed_part = {tbs, writer_len(&w)};
    w = writer_init(out, CERT_MAX);
    put_certificate(&w, signed_part, signature);
    *len = w.bad ? 0 : writer_len(&w);
    return w.bad ? ERR_SPACE : 0;
}

/* The two parts of a certificate that differ from one to another. Both are empty when it has not got them. */
static void split(const uint8_t *der, size_t len, struct slice *tbs, struct slice *signature)
{
    struct reader whole = reader_init(der, len), body, bits;
    const uint8_t *begin;

    *tbs = *signature = (struct slice){0};
    body = der_take(&whole, DER_SEQUENCE);
    begin = body.at;
    der_take(&body, DER_SEQUENCE);
    if (body.bad)
        return;
    *tbs = (struct slice){begin, (size_t)(body.at - begin)};
    der_take(&body, DER_SEQUENCE);
    bits = der_take(&body, DER_BIT_STRING);
    reader_u8(&bits);
    if (reader_left(&bits) == IDENTITY_SIGNATURE_LEN)
        *signature = (struct slice){bits.at, IDENTITY_SIGNATURE_LEN};
}

/* True when writing the value gives the same bytes again: there is no second encoding of anything. */
static bool is_encoding_of(const struct cert *cert, const uint8_t *der, size_t len, struct slice signature)
{
    uint8_t tbs[CERT_MAX], again[CERT_MAX];
    struct writer inner = writer_init(tbs, sizeof(tbs)), w = writer_init(again, sizeof(again));

    cert_tbs_put(cert, &inner);
    if (inner.bad)
        return false;
    put_certificate(&w, (struct slice){tbs, writer_len(&inner)}, signature.data);
    return !w.bad && writer_len(&w) == len && memcmp(again, der, len) == 0;
}

int cert_decode(const uint8_t *der, size_t len, struct cert *out)
{
    struct slice tbs, signature;
    int err = ERR_FORMAT;

    memset(out, 0, sizeof(*out));
    if (len > CERT_MAX)
        return ERR_FORMAT;
    split(der, len, &tbs, &signature);
    if (!signature.data || !cert_tbs_take(tbs.data, tbs.len, out))
        goto out;
    err = identity_id_of_spki(out->spki, sizeof(out->spki), &out->id);
    if (!err && (!cert_rules_hold(out) || !is_encoding_of(out, der, len, signature)))
        err = ERR_FORMAT;
out:
    if (err)
        memset(out, 0, sizeof(*out));
    return err;
}

int cert_verify(const uint8_t *der, size_t len, const uint8_t spki[IDENTITY_SPKI_LEN])
{
    struct slice tbs, signature;

    split(der, len, &tbs, &signature);
    return identity_verify(spki, IDENTITY_SPKI_LEN, CONTEXT, tbs.data, tbs.len, signature.data,
                           signature.len);
}
