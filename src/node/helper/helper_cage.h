/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What each helper process may still do (net/sandbox.h): none has a capability, none may change a file. */

#include "base/err.h"
#include <stddef.h>

enum helper_cage {
    HELPER_CAGE_KEEPER,   /* fork, enter a cage, and what those that it starts may */
    HELPER_CAGE_NAMES,    /* fork, and what the C library needs to look names up */
    HELPER_CAGE_BACKBONE, /* TCP and certificates */
    HELPER_CAGE_PORTMAP,  /* fork, UDP and TCP: no file at all */
    HELPER_CAGE_DOORS,    /* UDP and TCP, and to splice: no file at all */
};

/* Enters it. Before the process makes a thread. On an error failed is told what and why, for a person. */
int helper_cage_enter(enum helper_cage which, char *failed, size_t size) must_check;
