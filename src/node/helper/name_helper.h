/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The helper that looks names up: a process of its own for each, so that one that hangs or breaks costs nothing else. */

#include "node/helper/helper_message.h"
#include <stdbool.h>

#define NAME_HELPER_LOOKUPS_MAX 16 /* at once; more wait in the channel */
#define NAME_HELPER_PATIENCE_S  20 /* of one, then it is ended */

struct name_helper_config {
    bool caged;
    unsigned patience_s;
    /* Fills answer's addresses, or its text with why there are none. In a process of its own. */
    void (*look_up)(const char *host, struct helper_message *answer);
};

/* getaddrinfo(3), for TCP. The ports are 0. */
void name_helper_look_up(const char *host, struct helper_message *answer);

/* Runs it on its end of the channel (struct helper_job); context is a struct name_helper_config. */
int name_helper_run(int fd, const void *context);
