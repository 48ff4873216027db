/* SPDX-License-Identifier: Apache-2.0 */
/* solicit_target: whatever the frame, an address that is asked for stands in it, in a frame to a group, and its asker has
 * another one; nothing past the end is read. */

#include "frame/solicit.h"

#include <stdlib.h>
#include <string.h>

static bool holds(const uint8_t *frame, size_t len, const struct addr *a)
{
    size_t width = a->family == 4 ? 4 : 16;
    for (size_t at = 14; at + width <= len; at++)
        if (memcmp(frame + at, a->ip, width) == 0)
            return true;
    return false;
}

static void check(uint8_t *frame, size_t len)
{
    struct addr a, same;
    if (!solicit_target(frame, len, &a))
        return;
    if ((a.family != 4 && a.family != 6) || a.port || !(frame[0] & 1) || !holds(frame, len, &a))
        abort();
    size_t sender = a.family == 4 ? 28 : 22, width = a.family == 4 ? 4 : 16;
    if (memcmp(frame + sender, a.ip, width) == 0)
        abort();
    memset(frame + sender, 0, width);
    if (solicit_target(frame, len, &same))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *frame = malloc(size ? size : 1); /* of its exact size, so that ASan sees a byte too many */
    if (!frame)
        return 0;
    if (size)
        memcpy(frame, data, size);
    check(frame, size);
    free(frame);
    return 0;
}
