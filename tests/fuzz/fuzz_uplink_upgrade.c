/* SPDX-License-Identifier: Apache-2.0 */
/* What answers a node's request for an uplink: any bytes, as they come in. An answer is judged the same however it was cut
 * into pieces, and one that is taken has a head within the bytes that came. */
#include "node/helper/uplink_upgrade.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int judge(const struct uplink_upgrade *u, const uint8_t *data, size_t size)
{
    char why[UPLINK_WHY_MAX] = "";
    char *text = malloc(size ? size : 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    int result = uplink_upgrade_answer(u, text, size, why);
    free(text);
    if (result > (int)size || (result == ERR_FORMAT && !why[0]))
        abort();
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nonce[16] = "the sample nonce";
    struct uplink_upgrade u;
    if (size == 0 || size > UPLINK_ANSWER_MAX || uplink_upgrade_init(nonce, &u))
        return 0;
    int whole = judge(&u, data, size);
    for (size_t len = 1; len < size; len++) {
        int part = judge(&u, data, len);
        if (part != ERR_AGAIN && part != whole)
            abort();
    }
    return 0;
}
