/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Cursors: every byte that comes from or goes to a wire passes through these. A reader or writer that
 * once ran over its end stays bad and yields zeros, so a parser checks once, at its end.
 * Network byte order. */

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data;
    size_t len;
};

struct reader {
    const uint8_t *at, *end;
    bool bad;
};

struct writer {
    uint8_t *begin, *at, *end;
    bool bad;
};

static inline struct reader reader_init(const uint8_t *data, size_t len)
{
    return (struct reader){.at = data, .end = len ? data + len : data};
}

static inline size_t reader_left(const struct reader *r)
{
    return r->bad ? 0 : (size_t)(r->end - r->at);
}

/* The next n bytes, or NULL when there are fewer. */
static inline const uint8_t *reader_take(struct reader *r, size_t n)
{
    if (r->bad || (size_t)(r->end - r->at) < n) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    if (n) /* C knows no NULL + 0 */
        r->at += n;
    return p;
}

static inline void reader_copy(struct reader *r, void *out, size_t n)
{
    const uint8_t *p = reader_take(r, n);
    if (p && n)
        memcpy(out, p, n);
    else if (n)
        memset(out, 0, n);
}

static inline uint8_t reader_u8(struct reader *r)
{
    const uint8_t *p = reader_take(r, 1);
    return p ? *p : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
    uint16_t v;
    reader_copy(r, &v, sizeof(v));
    return be16toh(v);
}

static inline uint32_t reader_u32(struct reader *r)
{
    uint32_t v;
    reader_copy(r, &v, sizeof(v));
    return be32toh(v);
}

static inline uint64_t reader_u64(struct reader *r)
{
    uint64_t v;
    reader_copy(r, &v, sizeof(v));
    return be64toh(v);
}

static inline struct writer writer_init(uint8_t *data, size_t len)
{
    return (struct writer){.begin = data, .at = data, .end = len ? data + len : data};
}

static inline size_t writer_len(const struct writer *w)
{
    return (size_t)(w->at - w->begin);
}

/* Room for n bytes, to be filled by the caller, or NULL. */
static inline uint8_t *writer_reserve(struct writer *w, size_t n)
{
    if (w->bad || (size_t)(w->end - w->at) < n) {
        w->bad = true;
        return NULL;
    }
    uint8_t *p = w->at;
    if (n)
        w->at += n;
    return p;
}

static inline void writer_put(struct writer *w, const void *data, size_t n)
{
    uint8_t *p = writer_reserve(w, n);
    if (p && n)
        memcpy(p, data, n);
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
    uint8_t *p = writer_reserve(w, 1);
    if (p)
        *p = v;
}

static inline void writer_u16(struct writer *w, uint16_t v)
{
    v = htobe16(v);
    writer_put(w, &v, sizeof(v));
}

static inline void writer_u32(struct writer *w, uint32_t v)
{
    v = htobe32(v);
    writer_put(w, &v, sizeof(v));
}

static inline void writer_u64(struct writer *w, uint64_t v)
{
    v = htobe64(v);
    writer_put(w, &v, sizeof(v));
}
