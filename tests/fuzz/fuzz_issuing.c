/* SPDX-License-Identifier: Apache-2.0 */
/* An issuer's file: what is read is written the same, and gives no address twice. */

#include "proto/network/issuing.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void expect_one_owner_each(const struct ledger *l)
{
    for (size_t i = 0; ledger_at(l, i); i++)
        for (size_t j = 0; j < i; j++) {
            const struct ledger_member *a = ledger_at(l, i), *b = ledger_at(l, j);
            check(strcmp(a->name, b->name) != 0);
            for (size_t k = 0; k < (size_t)a->address_count * b->address_count; k++)
                check(!addr_equal(&a->addresses[k / b->address_count], &b->addresses[k % b->address_count]));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[ISSUING_FILE_MAX];
    static const struct issuing_config config;
    struct writer w = writer_init(again, sizeof(again));
    struct issuing s;

    if (issuing_init(&s, &config))
        abort();
    if (issuing_decode(&s, data, size) == 0) {
        issuing_encode(&s, &w);
        check(!w.bad && writer_len(&w) == size && memcmp(again, data, size) == 0);
        expect_one_owner_each(s.ledger);
    }
    issuing_fini(&s);
    return 0;
}
