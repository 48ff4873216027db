/* SPDX-License-Identifier: Apache-2.0 */
/* What a client of SOCKS says: the first byte tells which message it is. A verdict stands however much follows, each beginning of a
 * message asks for more, and whoever is named can be. */
#include "proto/doors/socks.h"

#include <stdlib.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

struct said {
    enum socks_method method;
    struct slice user, password;
    struct socks_request request;
};

static int read_message(uint8_t which, struct slice bytes, struct said *out)
{
    switch (which % 4) {
    case 0:
        return socks_read_greeting(bytes, false, &out->method);
    case 1:
        return socks_read_greeting(bytes, true, &out->method);
    case 2:
        return socks_read_words(bytes, &out->user, &out->password);
    default:
        return socks_read_request(bytes, &out->request);
    }
}

/* A name stays what it is when it is read again. */
static void check_destination(const struct socks_request *request)
{
    const struct destination *d = &request->to;
    struct destination again;
    size_t len = strnlen(d->name, sizeof(d->name));
    if (request->unknown)
        return;
    check(len < sizeof(d->name) && (d->address.family != 0) == (len == 0));
    check(!d->address.family || d->address.port == d->port);
    if (len) {
        check(destination_from_text(d->name, len, d->port, &again) == 0);
        check(strcmp(again.name, d->name) == 0 && !again.address.family);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct said said = {0}, early = {0};
    if (size == 0)
        return 0;
    const struct slice bytes = {data + 1, size - 1};
    int len = read_message(data[0], bytes, &said);
    check(len <= (int)bytes.len && len <= SOCKS_MESSAGE_MAX);
    for (size_t have = 0; have < bytes.len && have < SOCKS_MESSAGE_MAX; have++) {
        int part = read_message(data[0], (struct slice){bytes.data, have}, &early);
        check(part == len || part == 0);
        check(part <= 0 || (int)have >= len);
        check(len <= 0 || (int)have >= len || part == 0);
    }
    if (len > 0 && data[0] % 4 == 2)
        check(said.user.len && said.password.len && said.user.data > bytes.data);
    if (len > 0 && data[0] % 4 == 3)
        check_destination(&said.request);
    return 0;
}
