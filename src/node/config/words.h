/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A name and a password in a file that others cannot read. Main thread, before anything else runs. */

#include "base/err.h"

#define WORDS_MAX 256 /* of each, with its NUL */

/* What is behind their ends is zero. */
struct words {
    char user[WORDS_MAX], password[WORDS_MAX];
};

/* The first line of the file, USER:PASSWORD. NULL, or what is wrong, as the end of a sentence. The caller wipes out. */
const char *words_read(const char *path, struct words *out) must_check;
