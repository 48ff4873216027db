/* SPDX-License-Identifier: Apache-2.0 */
/* Aligned columns. Where they are wider than the terminal, a row goes on in the next line, and the last text of a line is
 * wrapped at its words. A missing allocation ends the program: it is a command, and has nothing to lose. */
#include "cli/table.h"

#include "cli/format.h"

#include <stdlib.h>
#include <string.h>

#define CONTINUED 4 /* blanks before what goes on in the next line */

struct row {
    char **cells; /* NULL: a note */
    char *note;
};

struct table {
    size_t columns, rows, cap;
    char align[TABLE_COLUMNS_MAX + 1];
    struct row *list;
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
    for (size_t i = 0; i < t->rows; i++) {
        for (size_t j = 0; t->list[i].cells && j < t->columns; j++)
            free(t->list[i].cells[j]);
        free(t->list[i].cells);
        free(t->list[i].note);
    }
    free(t->list);
    free(t);
}

static struct row *new_row(struct table *t)
{
    if (t->rows == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 16;
        t->list = realloc(t->list, t->cap * sizeof(*t->list));
        if (!t->list)
            abort();
    }
    t->list[t->rows] = (struct row){NULL, NULL};
    return &t->list[t->rows++];
}

void table_add(struct table *t, const char *const *cells)
{
    struct row *row = new_row(t);
    row->cells = calloc(t->columns, sizeof(*row->cells));
    if (!row->cells)
        abort();
    for (size_t i = 0; i < t->columns; i++) {
        row->cells[i] = format_clean(cells[i]);
        size_t width = format_width(row->cells[i]);
        t->width[i] = width > t->width[i] ? width : t->width[i];
    }
}

void table_add_note(struct table *t, const char *text)
{
    if (text[0])
        new_row(t)->note = format_clean(text);
}

/* ---- where the columns stand ---- */

struct layout {
    bool hidden[TABLE_COLUMNS_MAX];
    size_t line[TABLE_COLUMNS_MAX], start[TABLE_COLUMNS_MAX];
    size_t lines;
};

/* A column whose cells under the heading are all empty says nothing. */
static bool is_empty(const struct table *t, size_t column, bool heading)
{
    for (size_t row = heading; row < t->rows; row++)
        if (t->list[row].cells && t->list[row].cells[column][0])
            return false;
    return true;
}

static bool is_last(const struct table *t, const struct layout *l, size_t column)
{
    while (++column < t->columns)
        if (!l->hidden[column])
            return false;
    return true;
}

/* In the next line, unless it is text that can be wrapped where it is. */
static bool moves_on(const struct table *t, const struct table_style *style, const struct layout *l,
                     size_t column, size_t at)
{
    bool wraps = t->align[column] == 'l' && is_last(t, l, column) && at <= style->width / 2;
    return style->width && at + t->width[column] > style->width && !wraps;
}

static void lay_out(const struct table *t, const struct table_style *style, struct layout *l)
{
    size_t at = style->indent;
    bool first = true;
    *l = (struct layout){.lines = 1};
    for (size_t i = 0; i < t->columns; i++)
        l->hidden[i] = is_empty(t, i, style->heading);
    for (size_t i = 0; i < t->columns; i++) {
        if (l->hidden[i])
            continue;
        if (!first && moves_on(t, style, l, i, at)) {
            at = style->indent + CONTINUED;
            l->lines++;
        }
        l->line[i] = l->lines - 1;
        l->start[i] = at;
        at += t->width[i] + 2;
        first = false;
    }
}

/* ---- printing ---- */

static void put_blanks(FILE *out, size_t n)
{
    fprintf(out, "%*s", (int)n, "");
}

/* From column start on; each further line begins there, too. width 0: in one line. */
static void put_wrapped(FILE *out, const char *text, size_t start, size_t width)
{
    size_t at = start;
    if (!width || start + format_width(text) <= width) {
        fputs(text, out);
        return;
    }
    char *copy = format_clean(text), *rest = copy, *word;
    while ((word = strsep(&rest, " "))) {
        size_t len = format_width(word);
        if (at > start && at + 1 + len > width) {
            fputc('\n', out);
            put_blanks(out, start);
            at = start;
        } else if (at > start) {
            fputc(' ', out);
            at++;
        }
        fputs(word, out);
        at += len;
    }
    free(copy);
}

static void print_line(const struct table *t, FILE *out, const struct row *row, const struct layout *l,
                       size_t line, size_t width)
{
    size_t at = 0;
    for (size_t i = 0; i < t->columns; i++) {
        const char *cell = row->cells[i];
        if (l->hidden[i] || l->line[i] != line || !cell[0])
            continue;
        size_t own = format_width(cell);
        size_t start = l->start[i] + (t->align[i] == 'r' ? t->width[i] - own : 0);
        put_blanks(out, start - at);
        put_wrapped(out, cell, start, width);
        at = start + own;
    }
}

static bool has_line(const struct table *t, const struct row *row, const struct layout *l, size_t line)
{
    for (size_t i = 0; i < t->columns; i++)
        if (!l->hidden[i] && l->line[i] == line && row->cells[i][0])
            return true;
    return false;
}

static void print_row(const struct table *t, FILE *out, const struct row *row, const struct layout *l,
                      bool dim, size_t width)
{
    bool any = false;
    for (size_t line = 0; line < l->lines; line++) {
        bool last = line + 1 == l->lines;
        if (!has_line(t, row, l, line) && (any || !last))
            continue;
        any = true;
        fputs(dim ? "\033[2m" : "", out);
        print_line(t, out, row, l, line, width);
        fputs(dim ? "\033[0m\n" : "\n", out);
    }
}

void table_print(const struct table *t, FILE *out, const struct table_style *style)
{
    struct layout l;
    lay_out(t, style, &l);
    for (size_t i = 0; i < t->rows; i++) {
        const struct row *row = &t->list[i];
        if (row->cells) {
            print_row(t, out, row, &l, style->heading && i == 0 && style->colour, style->width);
            continue;
        }
        put_blanks(out, style->indent + CONTINUED);
        put_wrapped(out, row->note, style->indent + CONTINUED, style->width);
        fputc('\n', out);
    }
}
