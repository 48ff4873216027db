/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Entries for tests of the backbone's store and listings:
 * ids in order of `number`, contents derived from it. */

#include "backbone/store.h"
#include <stdio.h>
#include <string.h>

struct test_entry {
    struct store_entry entry;
    uint8_t record[64], signature[32];
};

static inline struct store_entry *test_entry_init(struct test_entry *t, unsigned number, uint64_t seq,
                                                  uint64_t expiry_s)
{
    *t = (struct test_entry){.entry = {.seq = seq, .expiry_s = expiry_s}};
    t->entry.id.bytes[0] = (uint8_t)(number >> 8);
    t->entry.id.bytes[1] = (uint8_t)number;
    memset(t->record, (int)number, sizeof(t->record));
    memset(t->signature, (int)seq, sizeof(t->signature));
    snprintf(t->entry.name, sizeof(t->entry.name), "node-%u", number);
    t->entry.record = (struct slice){t->record, sizeof(t->record)};
    t->entry.signature = (struct slice){t->signature, sizeof(t->signature)};
    return &t->entry;
}
