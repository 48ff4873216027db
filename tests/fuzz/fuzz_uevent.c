/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel events: never past the end, and the key is really there. */

#include "net/uevent.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char key[] = "NEW_VMGENID=1";
    if (uevent_is_new_machine(data, size) && !memmem(data, size, key, sizeof(key)))
        abort();
    return 0;
}
