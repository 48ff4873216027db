/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of tokens, and of who waits. Pure; control thread. docs/PROTOCOL.md §26. */

#include "proto/network/invitations.h"

#include "base/cbor.h"
#include <stdlib.h>
#include <string.h>

#define ITEMS         2
#define MADE_ITEMS    8
#define WAITING_ITEMS 5
#define FLAG_APPROVE  1u
#define FLAG_REVOKED  2u
#define FLAGS         3u

struct invitations {
    size_t count, waiting_count;
    struct invitation made[INVITATIONS_MAX];
    struct invitation_waiting waiting[INVITATIONS_WAITING_MAX]; /* who asked longest ago first */
};

int invitations_new(struct invitations **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : ERR_NOMEM;
}

void invitations_free(struct invitations *all)
{
    free(all);
}

/* ---- what was made ---- */

static bool is_sound(const struct invitation *i)
{
    return (i->name[0] == '\0' || cert_name_ok(i->name)) && i->uses >= 1 && i->uses <= INVITATIONS_USES_MAX &&
           (i->name[0] == '\0' || i->uses == 1) && i->used <= i->uses && i->made < i->expires &&
           i->expires - i->made <= INVITATIONS_LIFE_MAX;
}

static struct invitation *find(struct invitations *all, const uint8_t key[KDF_LEN])
{
    for (size_t i = 0; i < all->count; i++)
        if (memcmp(all->made[i].key, key, KDF_LEN) == 0)
            return &all->made[i];
    return NULL;
}

const struct invitation *invitations_find(const struct invitations *all, const uint8_t key[KDF_LEN])
{
    for (size_t i = 0; i < all->count; i++)
        if (memcmp(all->made[i].key, key, KDF_LEN) == 0)
            return &all->made[i];
    return NULL;
}

const struct invitation *invitations_at(const struct invitations *all, size_t i)
{
    return i < all->count ? &all->made[i] : NULL;
}

static void drop_waiting(struct invitations *all, size_t at)
{
    all->waiting_count--;
    memmove(&all->waiting[at], &all->waiting[at + 1], (all->waiting_count - at) * sizeof(*all->waiting));
}

static void forget_made(struct invitations *all, size_t at)
{
    for (size_t i = all->waiting_count; i-- > 0;)
        if (memcmp(all->waiting[i].key, all->made[at].key, KDF_LEN) == 0)
            drop_waiting(all, i);
    all->count--;
    memmove(&all->made[at], &all->made[at + 1], (all->count - at) * sizeof(*all->made));
}

/* Those that ended stay as long as there is room: who comes with one is told what became of it. */
static bool make_room(struct invitations *all, uint64_t now)
{
    for (size_t i = 0; all->count == INVITATIONS_MAX && i < all->count; i++)
        if (all->made[i].revoked || all->made[i].expires < now)
            forget_made(all, i);
    return all->count < INVITATIONS_MAX;
}

int invitations_add(struct invitations *all, const struct invitation *made, uint64_t now)
{
    if (!is_sound(made))
        return ERR_ARGUMENT;
    if (find(all, made->key))
        return ERR_EXISTS;
    if (!make_room(all, now))
        return ERR_SPACE;
    all->made[all->count++] = *made;
    return 0;
}

void invitations_drop(struct invitations *all, const uint8_t key[KDF_LEN])
{
    for (size_t i = all->count; i-- > 0;)
        if (memcmp(all->made[i].key, key, KDF_LEN) == 0)
            forget_made(all, i);
}

int invitations_revoke(struct invitations *all, const uint8_t key[KDF_LEN])
{
    struct invitation *i = find(all, key);

    if (!i)
        return ERR_NOT_FOUND;
    i->revoked = true;
    return 0;
}

void invitations_spend(struct invitations *all, const uint8_t key[KDF_LEN])
{
    find(all, key)->used++;
}

void invitations_give_back(struct invitations *all, const uint8_t key[KDF_LEN])
{
    find(all, key)->used--;
}

/* ---- who waits ---- */

static bool waits_for(const struct invitation_waiting *w, const struct invitation *of,
                      const struct node_id *id)
{
    return memcmp(w->key, of->key, KDF_LEN) == 0 && id_compare(&w->id, id) == 0;
}

static size_t waiting_for(const struct invitations *all, const struct invitation *of)
{
    size_t n = 0;

    for (size_t i = 0; i < all->waiting_count; i++)
        n += memcmp(all->waiting[i].key, of->key, KDF_LEN) == 0;
    return n;
}

/* The one that asked longest ago, of an invitation or of all (NULL). False when all were approved. */
static bool drop_oldest(struct invitations *all, const struct invitation *of)
{
    for (size_t i = 0; i < all->waiting_count; i++) {
        if (all->waiting[i].approved || (of && memcmp(all->waiting[i].key, of->key, KDF_LEN) != 0))
            continue;
        drop_waiting(all, i);
        return true;
    }
    return false;
}

static void drop_silent(struct invitations *all, uint64_t now)
{
    for (size_t i = all->waiting_count; i-- > 0;)
        if (now > all->waiting[i].asked && now - all->waiting[i].asked > INVITATIONS_WAITING_LIFE)
            drop_waiting(all, i);
}

bool invitations_wait(struct invitations *all, const struct invitation *of, const struct node_id *id,
                      const char *name, uint64_t now)
{
    struct invitation_waiting w = {.id = *id, .asked = now};
    bool known = false;

    memcpy(w.key, of->key, KDF_LEN);
    strncpy(w.name, name, sizeof(w.name) - 1);
    drop_silent(all, now);
    for (size_t i = all->waiting_count; i-- > 0;) {
        if (!waits_for(&all->waiting[i], of, id))
            continue;
        known = strcmp(all->waiting[i].name, w.name) == 0;
        w.approved = known && all->waiting[i].approved;
        drop_waiting(all, i);
    }
    if (waiting_for(all, of) >= of->uses && !drop_oldest(all, of))
        return false;
    if (all->waiting_count == INVITATIONS_WAITING_MAX && !drop_oldest(all, NULL))
        return false;
    all->waiting[all->waiting_count++] = w;
    return !known;
}

const struct invitation_waiting *invitations_waiting_at(const struct invitations *all, size_t i)
{
    return i < all->waiting_count ? &all->waiting[i] : NULL;
}

int invitations_approve(struct invitations *all, const struct node_id *id)
{
    bool found = false;

    for (size_t i = 0; i < all->waiting_count; i++)
        if (id_compare(&all->waiting[i].id, id) == 0)
            found = all->waiting[i].approved = true;
    return found ? 0 : ERR_NOT_FOUND;
}

bool invitations_is_approved(const struct invitations *all, const struct invitation *of,
                             const struct node_id *id, const char *name)
{
    for (size_t i = 0; i < all->waiting_count; i++)
        if (waits_for(&all->waiting[i], of, id))
            return all->waiting[i].approved && strcmp(all->waiting[i].name, name) == 0;
    return false;
}

void invitations_forget_waiting(struct invitations *all, const struct node_id *id)
{
    for (size_t i = all->waiting_count; i-- > 0;)
        if (id_compare(&all->waiting[i].id, id) == 0)
            drop_waiting(all, i);
}

/* ---- in a file ---- */

static void put_made(struct writer *w, const struct invitation *i)
{
    cbor_put_array(w, MADE_ITEMS);
    cbor_put_bytes(w, i->key, KDF_LEN);
    cbor_put_text(w, i->name);
    cbor_put_uint(w, i->roles);
    cbor_put_uint(w, i->uses);
    cbor_put_uint(w, i->used);
    cbor_put_uint(w, i->made);
    cbor_put_uint(w, i->expires);
    cbor_put_uint(w, (i->approve ? FLAG_APPROVE : 0) | (i->revoked ? FLAG_REVOKED : 0));
}

static void put_waiting(struct writer *w, const struct invitation_waiting *i)
{
    cbor_put_array(w, WAITING_ITEMS);
    cbor_put_bytes(w, i->key, KDF_LEN);
    cbor_put_bytes(w, i->id.bytes, ID_LEN);
    cbor_put_text(w, i->name);
    cbor_put_uint(w, i->asked);
    cbor_put_bool(w, i->approved);
}

void invitations_encode(const struct invitations *all, struct writer *w)
{
    cbor_put_array(w, ITEMS);
    cbor_put_array(w, all->count);
    for (size_t i = 0; i < all->count; i++)
        put_made(w, &all->made[i]);
    cbor_put_array(w, all->waiting_count);
    for (size_t i = 0; i < all->waiting_count; i++)
        put_waiting(w, &all->waiting[i]);
}

static void take_made(struct reader *r, struct invitations *all)
{
    struct invitation i = {0};
    uint64_t flags;

    r->bad |= cbor_take_array(r, MADE_ITEMS) != MADE_ITEMS;
    cbor_take_exact(r, i.key, KDF_LEN);
    cbor_take_text(r, i.name, sizeof(i.name));
    i.roles = (uint16_t)cbor_take_uint(r, UINT16_MAX);
    i.uses = (uint16_t)cbor_take_uint(r, UINT16_MAX);
    i.used = (uint16_t)cbor_take_uint(r, UINT16_MAX);
    i.made = cbor_take_uint(r, UINT64_MAX);
    i.expires = cbor_take_uint(r, UINT64_MAX);
    flags = cbor_take_uint(r, FLAGS);
    i.approve = flags & FLAG_APPROVE;
    i.revoked = flags & FLAG_REVOKED;
    if (r->bad || invitations_add(all, &i, 0))
        r->bad = true;
}

static void take_waiting(struct reader *r, struct invitations *all)
{
    struct invitation_waiting *i = &all->waiting[all->waiting_count++];

    r->bad |= cbor_take_array(r, WAITING_ITEMS) != WAITING_ITEMS;
    cbor_take_exact(r, i->key, KDF_LEN);
    cbor_take_exact(r, i->id.bytes, ID_LEN);
    cbor_take_text(r, i->name, sizeof(i->name));
    i->asked = cbor_take_uint(r, UINT64_MAX);
    i->approved = cbor_take_bool(r);
    r->bad |= !find(all, i->key) || (i->name[0] != '\0' && !cert_name_ok(i->name));
}

void invitations_decode(struct invitations *all, struct reader *r)
{
    r->bad |= cbor_take_array(r, ITEMS) != ITEMS;
    for (size_t left = cbor_take_array(r, INVITATIONS_MAX); left > 0 && !r->bad; left--)
        take_made(r, all);
    for (size_t left = cbor_take_array(r, INVITATIONS_WAITING_MAX); left > 0 && !r->bad; left--)
        take_waiting(r, all);
}
