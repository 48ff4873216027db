/* SPDX-License-Identifier: Apache-2.0 */
/* Files of records: what is read can be written again, to the same bytes, as far as the file is whole. */

#include "proto/message/record_file.h"
#include <stdlib.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[1 << 20];
    struct record_file file;
    struct record_bytes record;
    struct node_id id;
    int err;
    if (size > sizeof(again) || record_file_open(&file, data, size))
        return 0;
    struct writer w = writer_init(again, sizeof(again));
    record_file_begin(&w);
    while ((err = record_file_next(&file, &record)) == 0) {
        check(record.data.data >= data && record.signature.data + record.signature.len <= data + size);
        (void)!record_peek(record.data.data, record.data.len, &id);
        record_file_put(&w, &record);
    }
    check(!w.bad && memcmp(again, data, writer_len(&w)) == 0);
    check(err == ERR_FORMAT || writer_len(&w) == size);
    return 0;
}
