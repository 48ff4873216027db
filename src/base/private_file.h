/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Words in a file that others cannot read: what must stand in no command line. */

#include "base/err.h"
#include <stddef.h>

/* The first line of a file of mode 0600 that is ours or root's, without its end; what does not fit is cut off. NULL, or
 * what is wrong, as the end of a sentence. The caller wipes text in either case. */
const char *private_file_read_line(const char *path, char *text, size_t size) must_check;
