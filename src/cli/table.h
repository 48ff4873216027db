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

/* Prints the rows, each after `indent` blanks, columns two blanks apart, those without any text left out; the
 * first row is a heading (dim on a terminal with colour) when `heading`. */
void table_print(const struct table *t, FILE *out, unsigned indent, bool heading, bool colour);
