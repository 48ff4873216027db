/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Rows of text in aligned columns. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

struct table;

/* align: a letter per column, 'l' or 'r' aligned; their number is the table's width. */
struct table *table_new(const char *align);
void table_free(struct table *t);

/* Adds a row: one text per column, cleaned and copied (format_clean). NULL is "". */
void table_add(struct table *t, const char *const *cells);

/* A line of its own below the last row, cleaned and copied; "" is none. */
void table_add_note(struct table *t, const char *text);

struct table_style {
    unsigned indent; /* blanks before each line */
    unsigned width;  /* of the terminal: what is wider goes on in the next line; 0: there is none */
    bool heading;    /* the first row is one */
    bool colour;     /* which is dim then */
};

/* Prints the rows, columns two blanks apart, those without any text left out. */
void table_print(const struct table *t, FILE *out, const struct table_style *style);
