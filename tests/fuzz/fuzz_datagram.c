/* SPDX-License-Identifier: Apache-2.0 */
/* datagram_payload: whatever the frame, a payload begins inside it, behind whole headers of which the last has the
 * source port that is told; what follows makes no difference, and nothing past the end is read. */

#include "frame/datagram.h"
#include "frame/offload_frame.h"
#include <stdlib.h>
#include <string.h>

static void check(const uint8_t *frame, size_t len)
{
    uint16_t port, same;
    size_t at = datagram_payload(frame, len, &port);
    if (!at)
        return;
    bool v6;
    size_t l3 = offload_find_ip(frame, len, &v6);
    if (!l3 || at > len || at < l3 + (v6 ? IPV6_LEN : IPV4_LEN) + UDP_LEN)
        abort();
    if (get16(frame + at - UDP_LEN) != port)
        abort();
    if (datagram_payload(frame, at, &same) != at || same != port || datagram_payload(frame, at - 1, &same))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *frame = malloc(size ? size : 1); /* of its exact size, so that ASan sees a byte too many */
    if (!frame)
        return 0;
    memcpy(frame, data, size);
    check(frame, size);
    if (memcmp(frame, data, size) != 0)
        abort();
    free(frame);
    return 0;
}
