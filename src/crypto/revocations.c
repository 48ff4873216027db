/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of revoked keys: signing, judging, looking up. Any thread. docs/PROTOCOL.md §24. */

#include "crypto/revocations.h"

#include "crypto/cert.h"
#include <stdlib.h>

#define CONTEXT "ShadowMesh revocations 1"

_Static_assert(sizeof(struct node_id) == ID_LEN && _Alignof(struct node_id) == 1,
               "ids are read where they lie");

const char *revocations_verdict_str(enum revocations_verdict verdict)
{
    switch (verdict) {
    case REVOCATIONS_NEWER:
        return "is newer";
    case REVOCATIONS_SAME:
        return "is known";
    case REVOCATIONS_OLDER:
        return "is older than the one that is held";
    case REVOCATIONS_MALFORMED:
        return "is malformed, or made by a later version";
    case REVOCATIONS_WRONG_SIGNER:
        return "is of another network or issuer";
    case REVOCATIONS_FORGED:
        return "was not signed by the issuer that it names";
    case REVOCATIONS_CONTRARY:
        return "takes back what its issuer revoked";
    }
    return "is unknown";
}

static bool is_sound(const struct revocations *list)
{
    if (list->count > REVOCATIONS_MAX)
        return false;
    for (size_t i = 1; i < list->count; i++)
        if (id_compare(&list->ids[i - 1], &list->ids[i]) >= 0)
            return false;
    return true;
}

int revocations_sign(const struct revocations *list, const struct identity *signer, uint8_t *out, size_t cap)
{
    struct writer w = writer_init(out, cap);
    size_t len;

    if (!is_sound(list))
        return ERR_ARGUMENT;
    if (id_compare(&list->signer, identity_id(signer)) != 0)
        return ERR_MISMATCH;
    writer_put(&w, list->network.bytes, ID_LEN);
    writer_put(&w, list->signer.bytes, ID_LEN);
    writer_u64(&w, list->number);
    writer_u64(&w, list->time);
    writer_u16(&w, (uint16_t)list->count);
    writer_put(&w, list->ids, list->count * ID_LEN);
    len = writer_len(&w);
    if (!writer_reserve(&w, IDENTITY_SIGNATURE_LEN))
        return ERR_SPACE;
    return identity_sign(signer, CONTEXT, out, len, out + len);
}

/* All but the signature's check. */
static bool decode(const uint8_t *bytes, size_t len, struct revocations *out)
{
    struct reader r = reader_init(bytes, len);

    reader_copy(&r, out->network.bytes, ID_LEN);
    reader_copy(&r, out->signer.bytes, ID_LEN);
    out->number = reader_u64(&r);
    out->time = reader_u64(&r);
    out->count = reader_u16(&r);
    out->ids = (const struct node_id *)reader_take(&r, out->count * ID_LEN);
    return reader_left(&r) == IDENTITY_SIGNATURE_LEN && is_sound(out);
}

/* True when every key of a is in b. */
static bool is_within(const struct revocations *a, const struct revocations *b)
{
    size_t at = 0;

    for (size_t i = 0; i < b->count && at < a->count; i++)
        if (id_compare(&a->ids[at], &b->ids[i]) == 0)
            at++;
    return at == a->count;
}

static enum revocations_verdict judge_order(const struct revocations *held, const struct revocations *list)
{
    if (!held || list->number > held->number)
        return REVOCATIONS_NEWER;
    return list->number < held->number ? REVOCATIONS_OLDER : REVOCATIONS_SAME;
}

static enum revocations_verdict judge(const struct cert *signer, const struct node_id *network,
                                      const struct revocations *held, const uint8_t *bytes, size_t len,
                                      struct revocations *out)
{
    size_t signed_len = len - IDENTITY_SIGNATURE_LEN;
    enum revocations_verdict order;

    if (!decode(bytes, len, out))
        return REVOCATIONS_MALFORMED;
    if (id_compare(&out->network, network) != 0 || id_compare(&out->signer, &signer->id) != 0)
        return REVOCATIONS_WRONG_SIGNER;
    order = judge_order(held, out);
    if (order != REVOCATIONS_NEWER)
        return order;
    if (identity_verify(signer->spki, sizeof(signer->spki), CONTEXT, bytes, signed_len, bytes + signed_len,
                        IDENTITY_SIGNATURE_LEN))
        return REVOCATIONS_FORGED;
    return held && !is_within(held, out) ? REVOCATIONS_CONTRARY : REVOCATIONS_NEWER;
}

enum revocations_verdict revocations_judge(const struct cert *signer, const struct node_id *network,
                                           const struct revocations *held, const uint8_t *bytes, size_t len,
                                           struct revocations *out)
{
    enum revocations_verdict verdict = judge(signer, network, held, bytes, len, out);

    if (verdict != REVOCATIONS_NEWER)
        memset(out, 0, sizeof(*out));
    return verdict;
}

static int compare_ids(const void *a, const void *b)
{
    return id_compare(a, b);
}

bool revocations_has(const struct revocations *list, const struct node_id *id)
{
    return list->count > 0 && bsearch(id, list->ids, list->count, sizeof(*list->ids), compare_ids);
}
