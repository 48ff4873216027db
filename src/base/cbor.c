/* SPDX-License-Identifier: Apache-2.0 */
/* Deterministic CBOR over cursors, on libcbor's streaming coder: no allocation, so a head that claims 2^60
 * items costs nothing. Any thread. docs/PROTOCOL.md §7. */

#include "base/cbor.h"

#include "base/text.h"
#include <cbor.h>

/* The longest head: one byte and a 64-bit argument. */
#define HEAD_MAX 9

enum item_kind {
    ITEM_NONE, /* malformed, or a kind that is not for us: indefinite lengths, tags, undefined */
    ITEM_UINT,
    ITEM_BYTES,
    ITEM_TEXT,
    ITEM_ARRAY,
    ITEM_MAP,
    ITEM_BOOL,
    ITEM_NEGINT, /* may only be skipped, as … */
    ITEM_OTHER,  /* … floats and null, which have no argument */
};

struct item {
    enum item_kind kind;
    uint64_t value;      /* integer, length or count */
    const uint8_t *data; /* of a string */
};

static void put_head(struct writer *w, size_t (*encode)(size_t, unsigned char *, size_t), size_t value)
{
    uint8_t head[HEAD_MAX];
    writer_put(w, head, encode(value, head, sizeof(head)));
}

void cbor_put_uint(struct writer *w, uint64_t v)
{
    uint8_t head[HEAD_MAX];
    writer_put(w, head, cbor_encode_uint(v, head, sizeof(head)));
}

void cbor_put_bool(struct writer *w, bool v)
{
    uint8_t head[HEAD_MAX];
    writer_put(w, head, cbor_encode_bool(v, head, sizeof(head)));
}

void cbor_put_bytes(struct writer *w, const void *data, size_t len)
{
    put_head(w, cbor_encode_bytestring_start, len);
    writer_put(w, data, len);
}

void cbor_put_text(struct writer *w, const char *text)
{
    size_t len = strlen(text);
    if (!text_ok(text, len)) {
        w->bad = true;
        return;
    }
    put_head(w, cbor_encode_string_start, len);
    writer_put(w, text, len);
}

void cbor_put_array(struct writer *w, size_t count)
{
    put_head(w, cbor_encode_array_start, count);
}

void cbor_put_map(struct writer *w, size_t pairs)
{
    put_head(w, cbor_encode_map_start, pairs);
}

static void set_item(void *context, enum item_kind kind, uint64_t value, const uint8_t *data)
{
    *(struct item *)context = (struct item){kind, value, data};
}

static void on_uint8(void *context, uint8_t v)
{
    set_item(context, ITEM_UINT, v, NULL);
}

static void on_uint16(void *context, uint16_t v)
{
    set_item(context, ITEM_UINT, v, NULL);
}

static void on_uint32(void *context, uint32_t v)
{
    set_item(context, ITEM_UINT, v, NULL);
}

static void on_uint64(void *context, uint64_t v)
{
    set_item(context, ITEM_UINT, v, NULL);
}

static void on_negint8(void *context, uint8_t v)
{
    set_item(context, ITEM_NEGINT, v, NULL);
}

static void on_negint16(void *context, uint16_t v)
{
    set_item(context, ITEM_NEGINT, v, NULL);
}

static void on_negint32(void *context, uint32_t v)
{
    set_item(context, ITEM_NEGINT, v, NULL);
}

static void on_negint64(void *context, uint64_t v)
{
    set_item(context, ITEM_NEGINT, v, NULL);
}

static void on_bytes(void *context, cbor_data data, size_t len)
{
    set_item(context, ITEM_BYTES, len, data);
}

static void on_text(void *context, cbor_data data, size_t len)
{
    set_item(context, ITEM_TEXT, len, data);
}

static void on_array(void *context, size_t count)
{
    set_item(context, ITEM_ARRAY, count, NULL);
}

static void on_map(void *context, size_t pairs)
{
    set_item(context, ITEM_MAP, pairs, NULL);
}

static void on_bool(void *context, bool v)
{
    set_item(context, ITEM_BOOL, v, NULL);
}

static void on_null(void *context)
{
    set_item(context, ITEM_OTHER, 0, NULL);
}

static void on_float(void *context, float v)
{
    (void)v;
    set_item(context, ITEM_OTHER, 0, NULL);
}

static void on_double(void *context, double v)
{
    (void)v;
    set_item(context, ITEM_OTHER, 0, NULL);
}

/* What is ignored here leaves ITEM_NONE behind. */
static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negint8,
    .negint16 = on_negint16,
    .negint32 = on_negint32,
    .negint64 = on_negint64,
    .byte_string_start = cbor_null_byte_string_start_callback,
    .byte_string = on_bytes,
    .string_start = cbor_null_string_start_callback,
    .string = on_text,
    .indef_array_start = cbor_null_indef_array_start_callback,
    .array_start = on_array,
    .indef_map_start = cbor_null_indef_map_start_callback,
    .map_start = on_map,
    .tag = cbor_null_tag_callback,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = cbor_null_undefined_callback,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = cbor_null_indef_break_callback,
};

/* RFC 8949 §4.2.1: the argument in the shortest form that holds it. */
static bool head_is_shortest(const struct item *item, size_t head)
{
    uint64_t v = item->value;
    size_t shortest = v < 24 ? 1 : v <= UINT8_MAX ? 2 : v <= UINT16_MAX ? 3 : v <= UINT32_MAX ? 5 : 9;
    return item->kind == ITEM_OTHER || head == shortest;
}

static struct item take_item(struct reader *r)
{
    struct item item = {ITEM_NONE, 0, NULL};
    size_t left = reader_left(r);
    if (left) {
        struct cbor_decoder_result result = cbor_stream_decode(r->at, left, &callbacks, &item);
        size_t body = item.data ? item.value : 0;
        if (result.status == CBOR_DECODER_FINISHED && head_is_shortest(&item, result.read - body))
            r->at += result.read;
        else
            item.kind = ITEM_NONE;
    }
    if (item.kind == ITEM_NONE)
        r->bad = true;
    return item;
}

/* An item of this kind whose value is at most max; otherwise the cursor is bad and everything zero. */
static struct item expect(struct reader *r, enum item_kind kind, uint64_t max)
{
    struct item item = take_item(r);
    if (r->bad || item.kind != kind || item.value > max) {
        r->bad = true;
        return (struct item){ITEM_NONE, 0, NULL};
    }
    return item;
}

uint64_t cbor_take_uint(struct reader *r, uint64_t max)
{
    return expect(r, ITEM_UINT, max).value;
}

bool cbor_take_bool(struct reader *r)
{
    return expect(r, ITEM_BOOL, 1).value;
}

const uint8_t *cbor_take_bytes(struct reader *r, size_t max, size_t *len)
{
    struct item item = expect(r, ITEM_BYTES, max);
    *len = item.value;
    return item.data;
}

void cbor_take_exact(struct reader *r, void *out, size_t len)
{
    struct item item = expect(r, ITEM_BYTES, len);
    if (item.data && item.value == len) {
        memcpy(out, item.data, len);
        return;
    }
    r->bad = true;
    memset(out, 0, len);
}

void cbor_take_text(struct reader *r, char *out, size_t cap)
{
    struct item item = expect(r, ITEM_TEXT, cap - 1);
    out[0] = '\0';
    if (!item.data)
        return;
    if (!text_ok((const char *)item.data, item.value)) {
        r->bad = true;
        return;
    }
    memcpy(out, item.data, item.value);
    out[item.value] = '\0';
}

size_t cbor_take_array(struct reader *r, size_t max)
{
    return expect(r, ITEM_ARRAY, max).value;
}

static void skip(struct reader *r, unsigned depth)
{
    struct item item = take_item(r);
    if ((item.kind != ITEM_ARRAY && item.kind != ITEM_MAP) || item.value == 0)
        return;
    if (depth == 0) {
        r->bad = true;
        return;
    }
    /* Every item takes a byte at least, so that a false count ends with the input. */
    for (uint64_t i = 0; i < item.value && !r->bad; i++) {
        if (item.kind == ITEM_MAP)
            skip(r, depth - 1);
        skip(r, depth - 1);
    }
}

void cbor_skip(struct reader *r)
{
    skip(r, CBOR_DEPTH_MAX);
}

struct cbor_map cbor_take_map(struct reader *r)
{
    return (struct cbor_map){.r = r, .left = expect(r, ITEM_MAP, CBOR_PAIRS_MAX).value};
}

bool cbor_map_next(struct cbor_map *map, uint64_t *key)
{
    *key = 0;
    if (map->left == 0 || map->r->bad)
        return false;
    map->left--;
    /* The highest key is left unused, so that lowest never wraps. */
    uint64_t k = cbor_take_uint(map->r, UINT64_MAX - 1);
    if (map->r->bad || k < map->lowest) {
        map->r->bad = true;
        return false;
    }
    map->lowest = k + 1;
    *key = k;
    return true;
}

bool cbor_done(const struct reader *r)
{
    return !r->bad && r->at == r->end;
}
