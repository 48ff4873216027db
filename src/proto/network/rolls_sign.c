/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of our own: each has one number more than the last, and takes its place here like anybody's. docs/PROTOCOL.md §24 and §27.
 * Control thread. */

#include "proto/network/rolls_sign.h"

#include "proto/network/rolls_impl.h"
#include <stdlib.h>

/* ids with one more, in order; count of them before. */
static bool insert(struct node_id *ids, size_t count, const struct node_id *id)
{
    size_t at = 0;
    while (at < count && id_compare(&ids[at], id) < 0)
        at++;
    if (at < count && id_compare(&ids[at], id) == 0)
        return false;
    memmove(&ids[at + 1], &ids[at], (count - at) * sizeof(*ids));
    ids[at] = *id;
    return true;
}

static int from_verdict(enum rolls_verdict verdict)
{
    if (verdict == ROLLS_NO_MEMORY)
        return ERR_NOMEM;
    return verdict == ROLLS_NEWER ? 0 : ERR_MISMATCH;
}

static int sign_and_take(struct rolls *r, const struct revocations *list, const struct identity *me)
{
    size_t len = REVOCATIONS_LEN(list->count);
    uint8_t *bytes = malloc(len);
    if (!bytes)
        return ERR_NOMEM;
    int err = revocations_sign(list, me, bytes, len);
    if (!err)
        err = from_verdict(rolls_take(r, LIST_REVOCATIONS, (struct slice){bytes, len}));
    free(bytes);
    return err;
}

void rolls_set_own(struct rolls *r, const struct identity *me)
{
    r->own = me;
}

/* Both in ascending order; out has room for both. How many are in either. */
static size_t unite(const struct revocations *a, const struct revocations *b, struct node_id *out)
{
    size_t i = 0, j = 0, count = 0;
    while (i < a->count || j < b->count) {
        int order = i == a->count ? 1 : j == b->count ? -1 : id_compare(&a->ids[i], &b->ids[j]);
        out[count++] = order <= 0 ? a->ids[i] : b->ids[j];
        i += order <= 0;
        j += order >= 0;
    }
    return count;
}

/* From a backup an older one came back, and was signed anew before peers brought the newest. */
enum rolls_verdict rolls_unite(struct rolls *r, struct slice bytes)
{
    struct rolls_signer *s = r->own ? rolls_signer(r, identity_id(r->own)) : NULL;
    struct revocations theirs;
    if (!s || revocations_judge(&s->cert, &r->signers[0].cert.id, NULL, bytes.data, bytes.len, &theirs) !=
                  REVOCATIONS_NEWER)
        return ROLLS_CONTRARY;
    struct node_id *ids = calloc(theirs.count + s->revoked.count + 1, sizeof(*ids));
    if (!ids)
        return ROLLS_NO_MEMORY;
    struct revocations both = theirs;
    both.number = theirs.number + 1;
    both.time = r->now_s;
    both.count = unite(&theirs, &s->revoked, ids);
    both.ids = ids;
    int err = both.number ? sign_and_take(r, &both, r->own) : ERR_SPACE;
    free(ids);
    return err ? ROLLS_CONTRARY : ROLLS_NEWER;
}

int rolls_revoke(struct rolls *r, const struct identity *me, const struct node_id *id)
{
    static const struct rolls_held none;
    const struct rolls_signer *s = rolls_signer(r, identity_id(me));
    const struct rolls_held *h = s ? &s->lists[LIST_REVOCATIONS] : &none;
    if (!s)
        return ERR_NOT_FOUND;
    if (id && revocations_has(&s->revoked, id))
        return ERR_EXISTS;
    if (h->number == UINT64_MAX || (id && s->revoked.count == REVOCATIONS_MAX))
        return ERR_SPACE;
    struct node_id *ids = calloc(s->revoked.count + 1, sizeof(*ids));
    if (!ids)
        return ERR_NOMEM;
    if (s->revoked.count)
        memcpy(ids, s->revoked.ids, s->revoked.count * sizeof(*ids));
    struct revocations list = {r->signers[0].cert.id, s->cert.id, h->number + 1, r->now_s, ids,
                               s->revoked.count};
    list.count += id && insert(ids, list.count, id);
    int err = sign_and_take(r, &list, me);
    free(ids);
    return err;
}

int rolls_publish(struct rolls *r, const struct identity *me, const struct roster_member *members,
                  size_t count)
{
    const struct rolls_signer *s = rolls_signer(r, identity_id(me));
    if (!s || s == &r->signers[0])
        return ERR_NOT_FOUND;
    uint64_t number = s->lists[LIST_ROSTER].number;
    if (number == UINT64_MAX)
        return ERR_SPACE;
    const struct roster head = {r->signers[0].cert.id, s->cert.id, number + 1, r->now_s, count};
    uint8_t *bytes = malloc(ROSTER_LEN_MAX);
    size_t len;
    if (!bytes)
        return ERR_NOMEM;
    int err = roster_sign(&head, members, me, bytes, ROSTER_LEN_MAX, &len);
    if (!err)
        err = from_verdict(rolls_take(r, LIST_ROSTER, (struct slice){bytes, len}));
    free(bytes);
    return err;
}
