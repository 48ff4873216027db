/* SPDX-License-Identifier: Apache-2.0 */
/* Rosters: signing, judging, walking. Any thread. docs/PROTOCOL.md §27. */

#include "crypto/roster.h"

#include "crypto/cert_rules.h"

#define CONTEXT "ShadowMesh roster 1"

const char *roster_verdict_str(enum roster_verdict verdict)
{
    switch (verdict) {
    case ROSTER_NEWER:
        return "is newer";
    case ROSTER_SAME:
        return "is known";
    case ROSTER_OLDER:
        return "is older than the one that is held";
    case ROSTER_MALFORMED:
        return "is malformed, or made by a later version";
    case ROSTER_WRONG_SIGNER:
        return "is of another network or issuer";
    case ROSTER_FORGED:
        return "was not signed by the issuer that it names";
    }
    return "is unknown";
}

static bool is_sound(const struct roster_member *m)
{
    return cert_name_ok(m->name) && cert_addresses_hold(m->addresses, m->address_count);
}

/* ---- one member ---- */

static void put_member(struct writer *w, const struct roster_member *m)
{
    size_t len = strlen(m->name);

    writer_put(w, m->id.bytes, ID_LEN);
    writer_u64(w, m->since);
    writer_u64(w, m->not_after);
    writer_u16(w, m->roles);
    writer_u8(w, (uint8_t)len);
    writer_put(w, m->name, len);
    writer_u8(w, m->address_count);
    for (size_t i = 0; i < m->address_count; i++) {
        writer_u8(w, m->addresses[i].family);
        writer_put(w, m->addresses[i].ip, m->addresses[i].family == 4 ? 4 : 16);
    }
}

static void take_name(struct reader *r, char out[CERT_LABEL_MAX])
{
    size_t len = reader_u8(r);
    const uint8_t *name = len < CERT_LABEL_MAX ? reader_take(r, len) : NULL;

    if (!name || memchr(name, '\0', len))
        r->bad = true;
    else
        memcpy(out, name, len);
}

static void take_member(struct reader *r, struct roster_member *out)
{
    *out = (struct roster_member){0};
    reader_copy(r, out->id.bytes, ID_LEN);
    out->since = reader_u64(r);
    out->not_after = reader_u64(r);
    out->roles = reader_u16(r);
    take_name(r, out->name);
    out->address_count = reader_u8(r);
    if (out->address_count > CERT_ADDRESSES_MAX)
        r->bad = true;
    for (size_t i = 0; i < out->address_count && !r->bad; i++) {
        out->addresses[i].family = reader_u8(r);
        reader_copy(r, out->addresses[i].ip, out->addresses[i].family == 4 ? 4 : 16);
    }
    if (r->bad || !is_sound(out))
        r->bad = true;
}

bool roster_next(struct slice *members, struct roster_member *out)
{
    struct reader r = reader_init(members->data, members->len);

    if (members->len == 0)
        return false;
    take_member(&r, out);
    if (r.bad)
        return false;
    *members = (struct slice){r.at, reader_left(&r)};
    return true;
}

/* ---- the whole ---- */

int roster_sign(const struct roster *head, const struct roster_member *members, const struct identity *signer,
                uint8_t *out, size_t cap, size_t *len)
{
    struct writer w = writer_init(out, cap < ROSTER_LEN_MAX ? cap : ROSTER_LEN_MAX);

    if (id_compare(&head->signer, identity_id(signer)) != 0)
        return ERR_MISMATCH;
    if (head->count > ROSTER_MAX)
        return ERR_ARGUMENT;
    writer_put(&w, head->network.bytes, ID_LEN);
    writer_put(&w, head->signer.bytes, ID_LEN);
    writer_u64(&w, head->number);
    writer_u64(&w, head->time);
    writer_u16(&w, (uint16_t)head->count);
    for (size_t i = 0; i < head->count; i++) {
        if (!is_sound(&members[i]) || (i > 0 && id_compare(&members[i - 1].id, &members[i].id) >= 0))
            return ERR_ARGUMENT;
        put_member(&w, &members[i]);
    }
    *len = writer_len(&w);
    if (!writer_reserve(&w, IDENTITY_SIGNATURE_LEN))
        return ERR_SPACE;
    *len += IDENTITY_SIGNATURE_LEN;
    return identity_sign(signer, CONTEXT, out, *len - IDENTITY_SIGNATURE_LEN,
                         out + *len - IDENTITY_SIGNATURE_LEN);
}

/* Whether the bytes are head.count members in order, and nothing else. */
static bool members_are_sound(const struct roster_view *v)
{
    struct slice rest = v->members;
    struct roster_member m, before;

    for (size_t i = 0; i < v->head.count; i++) {
        if (!roster_next(&rest, &m) || (i > 0 && id_compare(&before.id, &m.id) >= 0))
            return false;
        before = m;
    }
    return rest.len == 0;
}

/* All but the signature's check. */
static bool decode(const uint8_t *bytes, size_t len, struct roster_view *out)
{
    struct reader r = reader_init(bytes, len);

    reader_copy(&r, out->head.network.bytes, ID_LEN);
    reader_copy(&r, out->head.signer.bytes, ID_LEN);
    out->head.number = reader_u64(&r);
    out->head.time = reader_u64(&r);
    out->head.count = reader_u16(&r);
    if (len > ROSTER_LEN_MAX || out->head.count > ROSTER_MAX || reader_left(&r) < IDENTITY_SIGNATURE_LEN)
        return false;
    out->members.len = reader_left(&r) - IDENTITY_SIGNATURE_LEN;
    out->members.data = reader_take(&r, out->members.len);
    return members_are_sound(out);
}

static enum roster_verdict judge(const struct cert *signer, const struct node_id *network,
                                 const struct roster *held, const uint8_t *bytes, size_t len,
                                 struct roster_view *out)
{
    size_t signed_len = len - IDENTITY_SIGNATURE_LEN;

    if (!decode(bytes, len, out))
        return ROSTER_MALFORMED;
    if (id_compare(&out->head.network, network) != 0 || id_compare(&out->head.signer, &signer->id) != 0)
        return ROSTER_WRONG_SIGNER;
    if (held && out->head.number <= held->number)
        return out->head.number < held->number ? ROSTER_OLDER : ROSTER_SAME;
    return identity_verify(signer->spki, sizeof(signer->spki), CONTEXT, bytes, signed_len, bytes + signed_len,
                           IDENTITY_SIGNATURE_LEN)
               ? ROSTER_FORGED
               : ROSTER_NEWER;
}

enum roster_verdict roster_judge(const struct cert *signer, const struct node_id *network,
                                 const struct roster *held, const uint8_t *bytes, size_t len,
                                 struct roster_view *out)
{
    enum roster_verdict verdict;

    memset(out, 0, sizeof(*out));
    verdict = judge(signer, network, held, bytes, len, out);
    if (verdict != ROSTER_NEWER)
        memset(out, 0, sizeof(*out));
    return verdict;
}
