/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that any program of this host may ask: an answer fits, is one, and is to this question. */

#include "proto/names/dns.h"

#include "base/err.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int addresses(const void *context, const char *name, struct addr out[DNS_ADDRESSES_MAX])
{
    (void)context;
    if (strlen(name) >= DNS_LABEL_MAX)
        abort();
    for (unsigned i = 0; i < DNS_ADDRESSES_MAX; i++)
        out[i] = (struct addr){.family = i % 2 ? 4 : 6, .ip = {10}};
    return name[0] == 'p' ? DNS_ADDRESSES_MAX : -1;
}

static int name_of(const void *context, const struct addr *a, char out[DNS_LABEL_MAX])
{
    (void)context;
    memset(out, 'p', DNS_LABEL_MAX - 1);
    out[DNS_LABEL_MAX - 1] = '\0';
    return a->ip[0] == 10 ? 0 : ERR_MISMATCH;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char network[] = "lab";
    const struct dns_zone zone = {network, addresses, name_of, NULL};
    uint8_t out[DNS_ANSWER_MAX];
    size_t len = dns_answer(&zone, data, size, out);

    if (len > sizeof(out) || (len && (len < 12 || memcmp(data, out, 2) != 0 || !(out[2] & 0x80))))
        abort();
    return 0;
}
