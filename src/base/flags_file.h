/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The flags of a program in a file: a line "name = value" for each, by the same table as the command line (base/flags.h).
 * Blank lines count for nothing, nor does what follows '#' or ';' at a line's start or behind a blank. There are no
 * sections. Split by inih. Main thread, before anything else runs. */

#include "base/flags.h"

#define FLAGS_FILE_LINE_MAX  198 /* bytes of a line: inih's own bound, less its end */
#define FLAGS_FILE_LINES_MAX 10000

/* Reads the file into context, line by line, as if its flags stood where this is called: a flag that comes later
 * replaces what it said. The file is a regular one, of this user or root, that nobody else may write. NULL, or what is
 * wrong with which line and how to mend it, as the end of a sentence; it stays until the next call. */
const char *flags_file_read(const struct flags *f, const char *path, void *context) must_check;

/* Likewise a file that own_file_open opened, here or in another process. Takes fd. */
const char *flags_file_read_open(const struct flags *f, int fd, void *context) must_check;
