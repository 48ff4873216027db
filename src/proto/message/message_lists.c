/* SPDX-License-Identifier: Apache-2.0 */
/* The values of messages that carry a network's lists. Pure. docs/PROTOCOL.md §27. */

#include "base/cbor.h"
#include "proto/message/message_format.h"

/* One that is held is [kind, signer, number, time]; later versions may append to it. */
#define HELD_ITEMS     4
#define HELD_ITEMS_MAX 16

static void put_lists(struct writer *w, const void *value, size_t size)
{
    (void)size;
    const struct message *m = value;
    cbor_put_array(w, m->lists.count);
    for (unsigned i = 0; i < m->lists.count; i++) {
        const struct message_list *l = &m->lists.list[i];
        cbor_put_array(w, HELD_ITEMS);
        cbor_put_uint(w, l->kind);
        cbor_put_bytes(w, l->signer.bytes, sizeof(l->signer.bytes));
        cbor_put_uint(w, l->number);
        cbor_put_uint(w, l->time);
    }
}

static void take_lists(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct message *m = value;
    m->lists.count = (unsigned)cbor_take_array(r, MESSAGE_LISTS_MAX);
    for (unsigned i = 0; i < m->lists.count && !r->bad; i++) {
        struct message_list *l = &m->lists.list[i];
        size_t items = cbor_take_array(r, HELD_ITEMS_MAX);
        if (items < HELD_ITEMS)
            r->bad = true;
        l->kind = (uint8_t)cbor_take_uint(r, UINT8_MAX);
        cbor_take_exact(r, l->signer.bytes, sizeof(l->signer.bytes));
        l->number = cbor_take_uint(r, UINT64_MAX);
        l->time = cbor_take_uint(r, UINT64_MAX);
        for (size_t more = HELD_ITEMS; more < items && !r->bad; more++)
            cbor_skip(r);
    }
}

const struct message_kind message_lists_kind = {NULL, put_lists, take_lists};

static void put_part(struct writer *w, const void *value, size_t size)
{
    (void)size;
    const struct slice *s = value;
    cbor_put_bytes(w, s->data, s->len);
}

static void take_part(struct reader *r, void *value, size_t size)
{
    (void)size;
    struct slice *s = value;
    s->data = cbor_take_bytes(r, MESSAGE_PART_MAX, &s->len);
}

const struct message_kind message_part_kind = {NULL, put_part, take_part};
