/* SPDX-License-Identifier: Apache-2.0 */
#include "node/command/features.h"

#include <stdio.h>

/* By bit; NULL: this version knows it not. */
static const char *const names[64] = {
    [0] = "fresh-root",   [1] = "session-control", [2] = "relays-of-backbones",
    [3] = "trunks",       [4] = "relays-of-nodes", [5] = "birthdays",
    [6] = "punching",     [7] = "records",         [8] = "relaying",
    [10] = "sparse-lane", [11] = "network",        [12] = "about"};

static json_t *describe(uint64_t bits)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < 64; i++) {
        char number[16];
        if (!(bits >> i & 1))
            continue;
        snprintf(number, sizeof(number), "bit-%u", i);
        json_array_append_new(list, json_string(names[i] ? names[i] : number));
    }
    return list;
}

json_t *features_describe(uint64_t ours, uint64_t theirs)
{
    return json_pack("{s:o, s:o}", "lacks", describe(ours & ~theirs), "has", describe(theirs & ~ours));
}
