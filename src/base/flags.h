/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The command line of a program: one table names, explains and reads its flags. They are written `-flag V`,
 * `--flag V` or `-flag=V`; a switch stands alone or takes =true or =false; a one-letter flag's value may follow
 * at once where it begins with a digit, as in -c1. Main thread; speaks on stdout (help) and stderr (refusals). */

#include "base/err.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLAGS_MAX 64 /* rows of a table */

enum flags_result { FLAGS_RUN, FLAGS_EXIT_OK, FLAGS_EXIT_USAGE };

struct flag {
    const char *name;  /* NULL: help is a heading */
    const char *value; /* placeholder; NULL for a switch */
    const char *help;  /* wrapped when it is printed; NULL hides the flag */
    /* Takes text, "true" or "false" of a switch: NULL, or what is wrong, as the end of a sentence. */
    const char *(*read)(void *context, const char *text);
    unsigned users; /* of a program with verbs: a bit for each that takes it */
};

struct flags {
    const char *program;
    const char *head, *tail; /* the page of -help around the flags */
    const struct flag *rows;
    size_t count;
    /* Takes an argument that is no flag, or complains and returns false. NULL: there are none. */
    bool (*word)(void *context, const char *text);
    /* Prints another page for -help; NULL: head, rows and tail. */
    void (*help)(const void *context);
};

/* Reads argv into context. FLAGS_EXIT_USAGE: one line on stderr has said what is wrong and how to mend it;
 * FLAGS_EXIT_OK: -help or -version was printed. *seen, unless NULL, gets a bit for each row that was given. */
enum flags_result flags_parse(const struct flags *f, int argc, char **argv, void *context,
                              uint64_t *seen) must_check;

/* The row of this name; NULL: there is none. */
const struct flag *flags_find(const struct flags *f, const char *name, size_t len);

/* The row that was meant by a name that there is not; NULL: none is near. */
const struct flag *flags_guess(const struct flags *f, const char *text, size_t len);

/* Prints the rows that one of users takes (0: all), and -help. */
void flags_print_rows(const struct flags *f, unsigned users);

/* One line on stderr, "program: …", cleaned of what terminals obey. */
void flags_complain(const char *program, const char *format, ...) __attribute__((format(printf, 2, 3)));
void flags_vcomplain(const char *program, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Values that every program reads: NULL, or what is wrong. */
const char *flags_read_switch(const char *text, bool *out) must_check;
const char *flags_read_on_off(const char *text, bool *out) must_check;
