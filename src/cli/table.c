/* SPDX-License-Identifier: Apache-2.0 */
/* Aligned columns. A missing allocation ends the program: it is a command, and has nothing to lose. */
#include "cli/table.h"

#include "cli/format.h"

#include <stdlib.h>
#include <string.h>

struct table {
    size_t columns, rows, cap;
    char align[TABLE_COLUMNS_MAX + 1];
    char **cells; /* rows × columns */
    size_t width[TABLE_COLUMNS_MAX];
};

struct table *table_new(const char *align)
{
    struct table *t = calloc(1, sizeof(*t));
    size_t columns = strlen(align);
    if (!t || columns > TABLE_COLUMNS_MAX)
        abort();
    t->columns = columns;
    memcpy(t->align, align, columns + 1);
    return t;
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->rows * t->columns; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

void table_add(struct table *t, const char *const *cells)
{
    if (t->rows == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 16;
        t->cells = realloc(t->cells, t->cap * t->columns * sizeof(*t->cells));
        if (!t->cells)
            abort();
    }
    for (size_t i = 0; i < t->columns; i++) {
        char *cell = format_clean(cells[i]);
        size_t width = format_width(cell);
        t->cells[t->rows * t->columns + i] = cell;
        t->width[i] = width > t->width[i] ? width : t->width[i];
    }
    t->rows++;
}

/* A column whose cells under the heading are all empty says nothing. */
static bool is_empty(const struct table *t, size_t column, bool heading)
{
    for (size_t row = heading; row < t->rows; row++)
        if (t->cells[row * t->columns + column][0])
            return false;
    return true;
}

static void put_blanks(FILE *out, size_t n)
{
    fprintf(out, "%*s", (int)n, "");
}

static void print_row(const struct table *t, FILE *out, size_t row, const bool *hidden)
{
    size_t owed = 0; /* blanks that are due only if something follows */
    for (size_t i = 0; i < t->columns; i++) {
        const char *cell = t->cells[row * t->columns + i];
        size_t pad = t->width[i] - format_width(cell);
        if (hidden[i])
            continue;
        if (cell[0]) {
            put_blanks(out, owed + (t->align[i] == 'r' ? pad : 0));
            fputs(cell, out);
            owed = t->align[i] == 'r' ? 0 : pad;
        } else {
            owed += pad;
        }
        owed += 2;
    }
}

void table_print(const struct table *t, FILE *out, unsigned indent, bool heading, bool colour)
{
    bool hidden[TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < t->columns; i++)
        hidden[i] = is_empty(t, i, heading);
    for (size_t row = 0; row < t->rows; row++) {
        bool dim = heading && row == 0 && colour;
        put_blanks(out, indent);
        fputs(dim ? "\033[2m" : "", out);
        print_row(t, out, row, hidden);
        fputs(dim ? "\033[0m\n" : "\n", out);
    }
}
