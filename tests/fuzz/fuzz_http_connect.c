/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a proxy of HTTP: a head is none before its end, and the same whatever follows it; whoever is named can be. */
#include "proto/doors/http_connect.h"

#include <stdlib.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_connect request, early;
    int len = http_connect_read((struct slice){data, size}, &request);
    check(len <= (int)size && len <= HTTP_CONNECT_MAX && (len >= 0 || len == ERR_FORMAT));
    check(len != 0 || size < HTTP_CONNECT_MAX);
    if (len <= 0)
        return 0;
    check(http_connect_read((struct slice){data, (size_t)len}, &early) == len);
    check(http_connect_read((struct slice){data, (size_t)len - 1}, &early) == 0);
    const struct slice c = request.credentials;
    check(!c.len || (c.data > data && c.data + c.len < data + len));
    const struct destination *to = &request.to;
    bool named = to->name[0], addressed = to->address.family;
    check(request.unknown ? !named && !addressed : named != addressed && to->port);
    struct destination again;
    check(!named || (destination_from_text(to->name, strlen(to->name), to->port, &again) == 0 &&
                     strcmp(again.name, to->name) == 0));
    return 0;
}
