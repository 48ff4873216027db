/* SPDX-License-Identifier: Apache-2.0 */
/* Control messages as CBOR maps, by the tables of message_format.c. Pure; control thread. docs/PROTOCOL.md §7. */

#include "proto/message/message.h"

#include "base/cbor.h"
#include "proto/message/message_format.h"

#define KEY_TYPE 0

static bool is_written(const struct message_field *f, const struct message *m)
{
    return !f->optional || !f->kind->empty((const uint8_t *)m + f->offset, f->size);
}

void message_encode(const struct message *m, struct writer *w)
{
    const struct message_format *format = message_format(m->type);
    size_t pairs = 1;
    for (unsigned i = 0; i < format->count; i++)
        pairs += is_written(&format->fields[i], m);
    cbor_put_map(w, pairs);
    cbor_put_uint(w, KEY_TYPE);
    cbor_put_uint(w, m->type);
    for (const struct message_field *f = format->fields; f < format->fields + format->count; f++) {
        if (!is_written(f, m))
            continue;
        cbor_put_uint(w, f->key);
        f->kind->put(w, (const uint8_t *)m + f->offset, f->size);
    }
}

/* The values behind the type. Keys ascend in the map as in the table, so both are walked once. */
static int decode_fields(struct reader *r, struct cbor_map *map, const struct message_format *format,
                         struct message *out)
{
    const struct message_field *f = format->fields, *end = f + format->count;
    uint64_t key;
    bool complete = true;
    while (cbor_map_next(map, &key)) {
        for (; f < end && f->key < key; f++)
            complete &= f->optional;
        if (f == end || f->key != key) {
            cbor_skip(r);
            continue;
        }
        f->kind->take(r, (uint8_t *)out + f->offset, f->size);
        f++;
    }
    for (; f < end; f++)
        complete &= f->optional;
    return cbor_done(r) && complete ? 0 : ERR_FORMAT;
}

static int decode(struct reader *r, struct message *out)
{
    struct cbor_map map = cbor_take_map(r);
    uint64_t key;
    /* Keys ascend, so the type comes first. */
    if (!cbor_map_next(&map, &key) || key != KEY_TYPE)
        return ERR_FORMAT;
    uint64_t type = cbor_take_uint(r, INT32_MAX);
    if (r->bad)
        return ERR_FORMAT;
    const struct message_format *format = message_format(type);
    if (!format)
        return ERR_UNSUPPORTED;
    out->type = (enum message_type)type;
    return decode_fields(r, &map, format, out);
}

int message_decode(const uint8_t *data, size_t len, struct message *out)
{
    struct reader r = reader_init(data, len);
    *out = (struct message){0};
    int err = len <= MESSAGE_MAX ? decode(&r, out) : ERR_FORMAT;
    if (err)
        *out = (struct message){0};
    return err;
}
