/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/network/changes.h"

#include "base/cbor.h"
#include <stdlib.h>
#include <string.h>

#define FILE_VERSION 1
#define FILE_ITEMS   2
#define CHANGE_ITEMS 7
#define ROOM_STEP    64 /* changes that memory is asked for at a time */

struct changes {
    struct change *list;
    size_t count, room;
    uint64_t version;
};

const char *change_kind_name(enum change_kind kind)
{
    switch (kind) {
    case CHANGE_JOINED:
        return "joined";
    case CHANGE_RENEWED:
        return "renewed";
    case CHANGE_REVOKED:
        return "revoked";
    case CHANGE_PROMOTED:
        return "promoted";
    case CHANGE_EXPIRED:
        return "expired";
    }
    return "unknown";
}

int changes_new(struct changes **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : ERR_NOMEM;
}

void changes_free(struct changes *c)
{
    if (!c)
        return;
    free(c->list);
    free(c);
}

/* ---- where it is full ---- */

static size_t count_of(const struct changes *c, const struct node_id *signer)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++)
        count += id_compare(&c->list[i].signer, signer) == 0;
    return count;
}

/* The signer with the most: whoever has more than half, else by counting each one that was not counted yet. */
static struct node_id longest(const struct changes *c)
{
    struct node_id best = c->list[0].signer;
    size_t most = 0;

    for (size_t i = 0; i < c->count; i++) {
        size_t count;
        if (i > 0 && id_compare(&c->list[i].signer, &c->list[i - 1].signer) == 0)
            continue;
        count = count_of(c, &c->list[i].signer);
        if (count > most) {
            most = count;
            best = c->list[i].signer;
        }
        if (2 * most >= c->count)
            break;
    }
    return best;
}

static size_t oldest_of(const struct changes *c, const struct node_id *signer)
{
    size_t oldest = c->count;

    for (size_t i = 0; i < c->count; i++) {
        if (id_compare(&c->list[i].signer, signer) != 0)
            continue;
        if (c->list[i].kind == CHANGE_RENEWED)
            return i;
        if (oldest == c->count)
            oldest = i;
    }
    return oldest;
}

static void drop_one(struct changes *c)
{
    const struct node_id signer = longest(c);
    size_t at = oldest_of(c, &signer);

    c->count--;
    memmove(&c->list[at], &c->list[at + 1], (c->count - at) * sizeof(*c->list));
}

static bool make_room(struct changes *c)
{
    struct change *longer;

    if (c->count == CHANGES_MAX)
        drop_one(c);
    if (c->count < c->room)
        return true;
    longer = realloc(c->list, (c->room + ROOM_STEP) * sizeof(*c->list));
    if (!longer)
        return false;
    c->list = longer;
    c->room += ROOM_STEP;
    return true;
}

void changes_put(struct changes *c, const struct change *change)
{
    if (!make_room(c))
        return;
    c->list[c->count++] = *change;
    c->version++;
}

/* ---- what others read ---- */

size_t changes_count(const struct changes *c)
{
    return c->count;
}

const struct change *changes_at(const struct changes *c, size_t i)
{
    return i < c->count ? &c->list[i] : NULL;
}

const struct change *changes_last(const struct changes *c, const struct node_id *id)
{
    for (size_t i = c->count; i > 0; i--)
        if (id_compare(&c->list[i - 1].id, id) == 0)
            return &c->list[i - 1];
    return NULL;
}

uint64_t changes_version(const struct changes *c)
{
    return c->version;
}

/* ---- in a file ---- */

static void put(struct writer *w, const struct change *change)
{
    cbor_put_array(w, CHANGE_ITEMS);
    cbor_put_uint(w, change->kind);
    cbor_put_uint(w, change->time);
    cbor_put_bytes(w, change->id.bytes, ID_LEN);
    cbor_put_text(w, change->name);
    cbor_put_bytes(w, change->signer.bytes, ID_LEN);
    cbor_put_uint(w, change->until);
    cbor_put_text(w, change->by);
}

void changes_encode(const struct changes *c, struct writer *w)
{
    cbor_put_array(w, FILE_ITEMS);
    cbor_put_uint(w, FILE_VERSION);
    cbor_put_array(w, c->count);
    for (size_t i = 0; i < c->count; i++)
        put(w, &c->list[i]);
}

static void take(struct reader *r, struct changes *c)
{
    struct change change = {.kind = CHANGE_JOINED};

    r->bad |= cbor_take_array(r, CHANGE_ITEMS) != CHANGE_ITEMS;
    change.kind = (enum change_kind)cbor_take_uint(r, CHANGE_EXPIRED);
    change.time = cbor_take_uint(r, UINT64_MAX);
    cbor_take_exact(r, change.id.bytes, ID_LEN);
    cbor_take_text(r, change.name, sizeof(change.name));
    cbor_take_exact(r, change.signer.bytes, ID_LEN);
    change.until = cbor_take_uint(r, UINT64_MAX);
    cbor_take_text(r, change.by, sizeof(change.by));
    r->bad |= change.kind < CHANGE_JOINED;
    if (!r->bad)
        changes_put(c, &change);
}

int changes_decode(struct changes *c, const uint8_t *data, size_t len)
{
    struct reader r = reader_init(data, len);

    r.bad |= cbor_take_array(&r, FILE_ITEMS) != FILE_ITEMS;
    r.bad |= cbor_take_uint(&r, FILE_VERSION) != FILE_VERSION;
    for (size_t left = cbor_take_array(&r, CHANGES_MAX); left > 0 && !r.bad; left--)
        take(&r, c);
    return cbor_done(&r) ? 0 : ERR_FORMAT;
}
