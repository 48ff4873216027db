/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a peer's program can and ours cannot, or the other way round, for people. Control thread. docs/PROTOCOL.md §7. */

#include <jansson.h>
#include <stdint.h>

/* {"lacks": [name], "has": [name]}: the bits of HELLO that differ. */
json_t *features_describe(uint64_t ours, uint64_t theirs);
