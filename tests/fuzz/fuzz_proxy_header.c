/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection may begin with: a verdict stands however much follows, each beginning of a header asks for no less than
 * is missing, and nobody is named but by a whole one. */

#include "backbone/proxy_header.h"

#include <stdbool.h>
#include <stdlib.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct addr source, part;
    size_t len, needed;
    if (size == 0)
        return 0;
    int err = proxy_header_decode(data, size, &source, &len);
    check(err || (len <= size && len <= PROXY_HEADER_MAX));
    check(err != ERR_AGAIN || len > size);
    check(!err || source.family == 0);
    size_t most = size < PROXY_HEADER_MAX ? size : PROXY_HEADER_MAX;
    for (size_t have = 1; have < most; have++) {
        int early = proxy_header_decode(data, have, &part, &needed);
        check(early == err || early == ERR_AGAIN);
        check(early != ERR_AGAIN || needed > have);
        check(early || (addr_equal(&part, &source) && needed == len));
    }
    return 0;
}
