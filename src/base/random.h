/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where random bytes come from: whoever needs some is given a source. A running program's is crypto/secret.h's. */

#include <stddef.h>

struct random_source {
    void (*fill)(void *context, void *out, size_t len); /* cannot fail */
    void *context;
};

static inline void random_fill(const struct random_source *r, void *out, size_t len)
{
    r->fill(r->context, out, len);
}
