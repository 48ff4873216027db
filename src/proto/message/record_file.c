/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/message/record_file.h"

static const uint8_t head[] = "shadowmesh records 1\n";

#define HEAD_LEN (sizeof(head) - 1)

size_t record_file_room(const struct record_bytes *record)
{
    return sizeof(uint16_t) + record->data.len + record->signature.len;
}

void record_file_begin(struct writer *w)
{
    writer_put(w, head, HEAD_LEN);
}

void record_file_put(struct writer *w, const struct record_bytes *record)
{
    w->bad |= record->data.len > RECORD_MAX || record->signature.len != IDENTITY_SIGNATURE_LEN;
    writer_u16(w, (uint16_t)record->data.len);
    writer_put(w, record->data.data, record->data.len);
    writer_put(w, record->signature.data, record->signature.len);
}

int record_file_open(struct record_file *f, const uint8_t *data, size_t len)
{
    *f = (struct record_file){reader_init(data, len), 0};
    const uint8_t *begin = reader_take(&f->r, HEAD_LEN);
    return len <= RECORD_FILE_MAX && begin && memcmp(begin, head, HEAD_LEN) == 0 ? 0 : ERR_FORMAT;
}

int record_file_next(struct record_file *f, struct record_bytes *out)
{
    *out = (struct record_bytes){{NULL, 0}, {NULL, 0}};
    if (!f->r.bad && reader_left(&f->r) == 0)
        return ERR_NOT_FOUND;
    size_t len = reader_u16(&f->r);
    f->r.bad |= len == 0 || len > RECORD_MAX || f->count++ == RECORD_FILE_RECORDS;
    const uint8_t *data = reader_take(&f->r, len), *signature = reader_take(&f->r, IDENTITY_SIGNATURE_LEN);
    if (f->r.bad)
        return ERR_FORMAT;
    *out = (struct record_bytes){{data, len}, {signature, IDENTITY_SIGNATURE_LEN}};
    return 0;
}
