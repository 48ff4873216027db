/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The names under which nodes know this backbone (-url): a proof that names another was made for somebody else. */

#include "base/bytes.h"
#include <stdbool.h>

#define UPLINK_NAMES_MAX 16
#define UPLINK_NAME_MAX  256 /* with its NUL */

struct uplink_names {
    unsigned count; /* 0: any name counts */
    char list[UPLINK_NAMES_MAX][UPLINK_NAME_MAX];
};

/* HOST or HOST:PORT, in any case. NULL, or what is wrong, as the end of a sentence. */
const char *uplink_names_add(struct uplink_names *n, const char *text);

/* Whether host, as PROVE has it, is one of them. A name without a port counts with every port. */
bool uplink_names_have(const struct uplink_names *n, struct slice host);
