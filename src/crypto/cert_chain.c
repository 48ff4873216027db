/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts on certificates, from the network's CA down to a member. Any thread. docs/PROTOCOL.md §22. */

#include "crypto/cert_chain.h"

const char *cert_verdict_str(enum cert_verdict verdict)
{
    switch (verdict) {
    case CERT_OK:
        return "is valid";
    case CERT_MALFORMED:
        return "is malformed, or made by a later version";
    case CERT_WRONG_KIND:
        return "is of another kind than is needed here";
    case CERT_WRONG_CA:
        return "is of another network or issuer";
    case CERT_FORGED:
        return "was not signed by the issuer that it names";
    case CERT_WRONG_KEY:
        return "is for another key than the peer has";
    case CERT_OUTSIDE:
        return "exceeds what its issuer may give";
    case CERT_UNKNOWN_ISSUER:
        return "is of an issuer whose own certificate is missing";
    case CERT_REVOKED:
        return "is revoked";
    case CERT_NOT_YET:
        return "is not valid yet: a clock is wrong, here or there";
    case CERT_RENEWABLE:
        return "has expired and must be renewed";
    case CERT_EXPIRED:
        return "has expired, too long ago to be renewed";
    }
    return "is unknown";
}

static enum cert_verdict decode(struct slice der, enum cert_kind kind, struct cert *out)
{
    if (cert_decode(der.data, der.len, out))
        return CERT_MALFORMED;
    return out->kind == kind ? CERT_OK : CERT_WRONG_KIND;
}

static enum cert_verdict judge_names(const struct cert *c, const struct cert *signer)
{
    if (id_compare(&c->issuer, &signer->id) != 0 || strcmp(c->network, signer->network) != 0)
        return CERT_WRONG_CA;
    return CERT_OK;
}

/* By whom: the name first, as it says more to a person than a signature that fails. */
static enum cert_verdict judge_signer(const struct cert *c, struct slice der, const struct cert *signer)
{
    enum cert_verdict verdict = judge_names(c, signer);

    if (verdict != CERT_OK)
        return verdict;
    return cert_verify(der.data, der.len, signer->spki) ? CERT_FORGED : CERT_OK;
}

/* A host's address is a prefix of all its bits. */
static bool in_ranges(const struct addr_prefix *p, const struct cert *signer)
{
    for (size_t i = 0; i < signer->range_count; i++)
        if (p->bits >= signer->ranges[i].bits && addr_in_prefix(&p->addr, &signer->ranges[i]))
            return true;
    return false;
}

/* No certificate gives more than its signer has: neither addresses nor time. */
static bool is_within(const struct cert *c, const struct cert *signer)
{
    if (c->not_before < signer->not_before || c->not_after > signer->not_after)
        return false;
    for (size_t i = 0; i < c->range_count; i++)
        if (!in_ranges(&c->ranges[i], signer))
            return false;
    for (size_t i = 0; i < c->address_count; i++) {
        struct addr_prefix host = {c->addresses[i], c->addresses[i].family == 4 ? 32 : 128};
        if (!in_ranges(&host, signer))
            return false;
    }
    return true;
}

/* As lives lie within each other, the signer's end is no earlier than this one's. */
static enum cert_verdict judge_time(const struct cert *c, uint64_t now)
{
    if (now < c->not_before)
        return CERT_NOT_YET;
    if (now <= c->not_after)
        return CERT_OK;
    return c->kind != CERT_CA && now - c->not_after <= CERT_RENEWAL ? CERT_RENEWABLE : CERT_EXPIRED;
}

/* A refusal leaves nothing that could be used by mistake. */
static enum cert_verdict refuse(enum cert_verdict why, struct cert *out)
{
    memset(out, 0, sizeof(*out));
    return why;
}

enum cert_verdict cert_chain_ca(struct slice der, const struct node_id *network, uint64_t now,
                                struct cert *out)
{
    enum cert_verdict verdict = decode(der, CERT_CA, out);

    if (verdict == CERT_OK && id_compare(&out->id, network) != 0)
        verdict = CERT_WRONG_CA;
    if (verdict == CERT_OK)
        verdict = judge_signer(out, der, out);
    return verdict == CERT_OK ? judge_time(out, now) : refuse(verdict, out);
}

enum cert_verdict cert_chain_issuer(const struct cert *ca, struct slice der, uint64_t now, struct cert *out)
{
    enum cert_verdict verdict = decode(der, CERT_ISSUER, out);

    if (verdict == CERT_OK)
        verdict = judge_signer(out, der, ca);
    if (verdict == CERT_OK && !is_within(out, ca))
        verdict = CERT_OUTSIDE;
    if (verdict != CERT_OK)
        return refuse(verdict, out);
    return now > ca->not_after ? CERT_EXPIRED : judge_time(out, now);
}

/* What is left when the signature holds, or is not to be checked: verdict is of what was judged before. */
static enum cert_verdict judge_member(const struct cert *ca, const struct cert *issuer,
                                      enum cert_verdict verdict, const uint8_t spki[IDENTITY_SPKI_LEN],
                                      uint64_t now, struct cert *out)
{
    if (verdict == CERT_OK && memcmp(out->spki, spki, IDENTITY_SPKI_LEN) != 0)
        verdict = CERT_WRONG_KEY;
    if (verdict == CERT_OK && !is_within(out, issuer))
        verdict = CERT_OUTSIDE;
    if (verdict != CERT_OK)
        return refuse(verdict, out);
    return now > ca->not_after ? CERT_EXPIRED : judge_time(out, now);
}

enum cert_verdict cert_chain_member(const struct cert *ca, const struct cert *issuer, struct slice der,
                                    const uint8_t spki[IDENTITY_SPKI_LEN], uint64_t now, struct cert *out)
{
    enum cert_verdict verdict = decode(der, CERT_MEMBER, out);

    if (verdict == CERT_OK)
        verdict = judge_signer(out, der, issuer);
    return judge_member(ca, issuer, verdict, spki, now, out);
}

enum cert_verdict cert_chain_member_again(const struct cert *ca, const struct cert *issuer, struct slice der,
                                          const uint8_t spki[IDENTITY_SPKI_LEN], uint64_t now,
                                          struct cert *out)
{
    enum cert_verdict verdict = decode(der, CERT_MEMBER, out);

    if (verdict == CERT_OK)
        verdict = judge_names(out, issuer);
    return judge_member(ca, issuer, verdict, spki, now, out);
}
