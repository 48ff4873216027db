/* SPDX-License-Identifier: Apache-2.0 */
/* An uplink's messages, from a node (first byte even) or a backbone: what decodes keeps its bounds, and encodes to the
 * same bytes. */

#include "proto/uplink/uplink_message.h"
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
    static uint8_t again[UPLINK_MESSAGE_MAX];
    struct uplink_message m;
    size_t len;
    if (size == 0 || uplink_message_decode(data + 1, size - 1, (enum uplink_side)(data[0] & 1), &m) != 0)
        return 0;
    check(m.data.len <= UPLINK_BATCH_MAX && m.data.len < size);
    check(m.kind != UPLINK_DATAGRAMS ||
          (m.segment > 0 && (m.data.len + m.segment - 1) / m.segment <= UPLINK_BATCH_DATAGRAMS));
    check(m.kind != UPLINK_PROVE || uplink_host_ok(m.host));
    check(uplink_message_encode(&m, again, sizeof(again), &len) == 0);
    check(len == size - 1 && memcmp(again, data + 1, len) == 0);
    return 0;
}
