/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Signed records in one file, as a node keeps those of its peers for its next start: docs/PROTOCOL.md §20. Whoever reads them
 * verifies each (record.h). Pure.
 *
 *      "shadowmesh records 1\n" | per record: length u16, record, signature */

#include "base/bytes.h"
#include "base/err.h"
#include "proto/message/record.h"

#define RECORD_FILE_MAX     (8 << 20) /* bytes of a file */
#define RECORD_FILE_RECORDS 1024      /* in a file */

/* Bytes that one record takes there. */
size_t record_file_room(const struct record_bytes *record);

void record_file_begin(struct writer *w);
void record_file_put(struct writer *w, const struct record_bytes *record);

struct record_file {
    struct reader r;
    unsigned count; /* of those that were taken */
};

/* ERR_FORMAT: it is no such file, or is longer than RECORD_FILE_MAX. Borrows data. */
int record_file_open(struct record_file *f, const uint8_t *data, size_t len) must_check;

/* The next record, whose bytes lie in the file's. ERR_NOT_FOUND at the end; ERR_FORMAT for what is none, behind which
 * nothing can be found any more, or for one too many. */
int record_file_next(struct record_file *f, struct record_bytes *out) must_check;
