/* SPDX-License-Identifier: Apache-2.0 */
#include "node/doors/doors_counts.h"

const char *doors_count_name(enum doors_count which)
{
    static const char *const names[DOORS_COUNTS] = {
        [DOORS_OPEN] = "open",
        [DOORS_HALF_OPEN] = "half_open",
        [DOORS_SERVED] = "served",
        [DOORS_TO_MESH] = "bytes_to_mesh",
        [DOORS_FROM_MESH] = "bytes_from_mesh",
        [DOORS_FULL] = "full",
        [DOORS_UNREACHABLE] = "unreachable",
        [DOORS_NO_NAME] = "no_name",
        [DOORS_FORBIDDEN] = "forbidden",
        [DOORS_UNSUPPORTED] = "unsupported",
        [DOORS_WRONG_WORDS] = "wrong_words",
        [DOORS_MALFORMED] = "malformed",
    };
    return names[which];
}

void doors_counts_encode(const struct doors_counts *c, uint8_t out[DOORS_COUNTS_LEN])
{
    struct writer w = writer_init(out, DOORS_COUNTS_LEN);
    for (unsigned i = 0; i < DOORS_COUNTS; i++)
        writer_u64(&w, c->of[i]);
}

int doors_counts_decode(struct slice bytes, struct doors_counts *out)
{
    struct reader r = reader_init(bytes.data, bytes.len);
    struct doors_counts c;
    for (unsigned i = 0; i < DOORS_COUNTS; i++)
        c.of[i] = reader_u64(&r);
    if (r.bad || reader_left(&r))
        return ERR_FORMAT;
    *out = c;
    return 0;
}
