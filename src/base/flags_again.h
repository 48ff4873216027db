/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The flags of a running program, read once more: its command line, and the files of its -config as they are now. Main
 * thread, or the one that has taken its place. */

#include "base/flags.h"

#define FLAGS_FILES_MAX 4

/* Where a program's flags come from; argv's memory stays. */
struct flags_source {
    int argc;
    char **argv;
    unsigned file_count;
    const char *files[FLAGS_FILES_MAX]; /* -config */
};

struct flags_again {
    const struct flags_source *source;
    const int *files; /* open, in the order of source's, taken */
    /* Takes each warning, and last what is wrong. */
    void (*say)(void *context, const char *line);
    void *context;
};

/* flags_parse of source's command line, whose -config flags fill its list of files. again: NULL at the start; then what is
 * wrong goes to f->say, not by itself to again's. */
enum flags_result flags_parse_source(const struct flags *f, struct flags_source *source,
                                     const struct flags_again *again, void *context) must_check;

/* Reads the value of a -config in there. */
const char *flags_read_config(const struct flags *f, struct flags_source *source,
                              const struct flags_again *again, const char *path, void *context) must_check;
