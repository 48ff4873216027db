/* SPDX-License-Identifier: Apache-2.0 */
/* What a helper process says to the node, and the node to it: what decodes stays within its bounds and encodes to the
 * same bytes. */

#include "base/text.h"
#include "node/helper/helper_message.h"
#include <stdlib.h>
#include <string.h>

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[HELPER_MESSAGE_MAX];
    struct helper_message m;
    size_t len;
    if (helper_message_decode(data, size, &m) != 0)
        return 0;
    check(memchr(m.text, '\0', sizeof(m.text)) && text_ok(m.text, strlen(m.text)));
    check(m.address_count <= HELPER_ADDRESSES_MAX && m.verdict <= BACKBONE_FORGED);
    check(m.data.len + m.signature.len < size);
    check(helper_message_encode(&m, again, &len) == 0 && len == size && memcmp(again, data, size) == 0);
    return 0;
}
