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

/* What a running program does that reads its flags again, and finds another value. */
enum flag_reload {
    FLAG_UNDECIDED, /* of a program that reads them once */
    FLAG_RELOADS,   /* it goes on with the new one */
    FLAG_RESTARTS,  /* the next start does */
};

struct flag {
    const char *name;  /* NULL: help is a heading */
    const char *value; /* placeholder; NULL for a switch */
    const char *help;  /* wrapped when it is printed; NULL hides the flag */
    /* Takes text, "true" or "false" of a switch: NULL, or what is wrong, as the end of a sentence. */
    const char *(*read)(void *context, const char *text);
    unsigned users; /* of a program with verbs: a bit for each that takes it */
    enum flag_reload reload;
    /* What it sets, in the struct that flags_differ compares; size 0: nothing that stays. */
    struct {
        size_t offset, size;
    } field;
};

/* The last columns of a row: its member of a struct, or those from one to another. */
#define FLAG_SPAN(type, first, last)                                                                         \
    {                                                                                                        \
        offsetof(type, first), offsetof(type, last) + sizeof(((type *)0)->last) - offsetof(type, first)      \
    }

struct flags {
    const char *program;
    const char *head, *tail; /* the page of -help around the flags */
    const struct flag *rows;
    size_t count;
    /* Takes an argument that is no flag, or complains and returns false. NULL: there are none. */
    bool (*word)(void *context, const char *text);
    /* Prints another page for -help; NULL: head, rows and tail. */
    void (*help)(const void *context);
    /* Takes a line about what is wrong, cleaned of what terminals obey. NULL: flags_complain has it. */
    void (*say)(void *context, const char *line);
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

/* Rows, a bit each, whose fields differ in two structs that were zero before flags filled them. */
uint64_t flags_differ(const struct flags *f, const void *a, const void *b);

/* Copies the fields of the rows that a running program takes. */
void flags_take(const struct flags *f, void *to, const void *from);

/* Names those of rows that it does not take; of two for one field the first. */
void flags_restarts(const struct flags *f, uint64_t rows, void (*tell)(void *context, const char *name),
                    void *context);

/* What is wrong, by f->say or as flags_complain. */
void flags_say(const struct flags *f, void *context, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One line on stderr, "program: …", cleaned of what terminals obey. */
void flags_complain(const char *program, const char *format, ...) __attribute__((format(printf, 2, 3)));
void flags_vcomplain(const char *program, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Values that every program reads: NULL, or what is wrong. */
const char *flags_read_switch(const char *text, bool *out) must_check;
const char *flags_read_on_off(const char *text, bool *out) must_check;
