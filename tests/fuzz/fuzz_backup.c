/* SPDX-License-Identifier: Apache-2.0 */
/* Backups, as a file that anybody may have altered: what is read is written the same. The fuzzer does not find the check by itself:
 * it is put behind whatever comes. */

#include "crypto/backup.h"

#include "crypto/kdf.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const uint8_t *bytes, size_t size)
{
    static uint8_t again[BACKUP_MAX];
    static struct backup b;
    size_t len;

    if (backup_decode(bytes, size, &b)) {
        if (b.count)
            abort();
    } else if (backup_encode(&b, again, sizeof(again), &len) || len != size ||
               memcmp(again, bytes, size) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice all = {data, size};
    uint8_t *whole = malloc(size + KDF_LEN);

    if (!whole || kdf_hash(&all, 1, whole + size))
        abort();
    if (size)
        memcpy(whole, data, size);
    judge(whole, size);
    judge(whole, size + KDF_LEN);
    free(whole);
    return 0;
}
