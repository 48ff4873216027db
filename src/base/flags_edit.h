/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Changes what a file of flags says (base/flags_file.h), line by line: comments, order and blanks stay as a person wrote
 * them. Pure functions of text. */

#include "base/err.h"
#include <stddef.h>

enum flags_edit_how {
    FLAGS_EDIT_SET,    /* name = value, in the place of its first line; its other lines go */
    FLAGS_EDIT_ADD,    /* one more, behind its last line */
    FLAGS_EDIT_REMOVE, /* its lines go that have this value; with an empty one all */
};

struct flags_edit {
    enum flags_edit_how how;
    const char *name, *value;
};

/* The change of a word: "NAME=VALUE", "NAME+=VALUE", "NAME-=VALUE". name holds what size bytes can. NULL, or what is wrong,
 * as the end of a sentence: also for what no line can say, since it would be read as something else. */
const char *flags_edit_read(const char *word, char *name, size_t size, struct flags_edit *out) must_check;

/* The text after the change, for the caller to free; NULL without memory. */
char *flags_edit_apply(const struct flags_edit *edit, const char *text) must_check;
