/* SPDX-License-Identifier: Apache-2.0 */
/* A line is what stands before the value, the value, and what stands behind it: only the value is ever replaced. */
#include "base/flags_edit.h"

#include "base/flags_file.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* Offsets in a line; all of them 0 where it says nothing. */
struct line {
    size_t name, name_end, value, value_end;
};

/* flags_file ends a line at either, inih once more at the second. */
static bool begins_comment(const char *text, size_t at)
{
    unsigned char before = at ? (unsigned char)text[at - 1] : ' ';
    return (text[at] == '#' && strchr(" \t\r\n", before)) || (text[at] == ';' && isspace(before));
}

static size_t skip(const char *text, size_t from, size_t to)
{
    while (from < to && isspace((unsigned char)text[from]))
        from++;
    return from;
}

static size_t skip_back(const char *text, size_t from, size_t to)
{
    while (to > from && isspace((unsigned char)text[to - 1]))
        to--;
    return to;
}

/* As flags_file and inih read it. */
static struct line split(const char *text, size_t len)
{
    struct line l;
    size_t end = 0, at = 0;
    while (end < len && !begins_comment(text, end))
        end++;
    l.name = skip(text, 0, end);
    if (text[l.name] == '#')
        return (struct line){0};
    for (at = l.name; at < end && text[at] != '=' && text[at] != ':'; at++)
        ;
    if (at == end)
        return (struct line){0};
    l.name_end = skip_back(text, l.name, at);
    l.value = skip(text, at + 1, end);
    l.value_end = skip_back(text, l.value, end);
    if (l.value == end)
        l.value = l.value_end = at + 1;
    return l;
}

static bool is_named(const struct line *l, const char *text, const char *name)
{
    size_t len = strlen(name);
    return l->name_end - l->name == len && memcmp(text + l->name, name, len) == 0;
}

static bool has_value(const struct line *l, const char *text, const char *value)
{
    size_t len = strlen(value);
    return len == 0 || (l->value_end - l->value == len && memcmp(text + l->value, value, len) == 0);
}

/* ---- the change ---- */

struct editing {
    const struct flags_edit *edit;
    FILE *out;
    bool done;        /* set, or added */
    const char *last; /* its last line, of an ADD; NULL: there is none */
};

static void put_new(const struct editing *e)
{
    fprintf(e->out, "%s = %s\n", e->edit->name, e->edit->value);
}

static void put_line(struct editing *e, const char *text, size_t len)
{
    const struct line l = split(text, len);
    bool named = is_named(&l, text, e->edit->name);
    switch (named ? e->edit->how : FLAGS_EDIT_ADD) {
    case FLAGS_EDIT_SET:
        if (!e->done)
            fprintf(e->out, "%.*s%s%.*s", (int)l.value, text, e->edit->value, (int)(len - l.value_end),
                    text + l.value_end);
        e->done = true;
        return;
    case FLAGS_EDIT_REMOVE:
        if (!has_value(&l, text, e->edit->value))
            fwrite(text, 1, len, e->out);
        return;
    case FLAGS_EDIT_ADD:
        fwrite(text, 1, len, e->out);
        return;
    }
}

static size_t line_length(const char *text)
{
    const char *end = strchr(text, '\n');
    return end ? (size_t)(end - text) + 1 : strlen(text);
}

/* The name's last line, behind which one more belongs. */
static const char *find_last(const char *text, const char *name)
{
    const char *last = NULL;
    for (size_t len; (len = line_length(text)); text += len) {
        const struct line l = split(text, len);
        if (is_named(&l, text, name))
            last = text;
    }
    return last;
}

static void put_lines(struct editing *e, const char *text)
{
    bool ended = true; /* by a line feed */
    for (size_t len; (len = line_length(text)); text += len) {
        put_line(e, text, len);
        ended = text[len - 1] == '\n';
        if (text != e->last)
            continue;
        fputs(ended ? "" : "\n", e->out);
        put_new(e);
        ended = e->done = true;
    }
    if (e->done || e->edit->how == FLAGS_EDIT_REMOVE)
        return;
    fputs(ended ? "" : "\n", e->out);
    put_new(e);
}

char *flags_edit_apply(const struct flags_edit *edit, const char *text)
{
    char *out = NULL;
    size_t len = 0, mark = strncmp(text, BYTE_ORDER_MARK, 3) == 0 ? 3 : 0;
    struct editing e = {.edit = edit, .out = open_memstream(&out, &len)};
    if (!e.out)
        return NULL;
    if (edit->how == FLAGS_EDIT_ADD)
        e.last = find_last(text + mark, edit->name);
    fwrite(text, 1, mark, e.out);
    put_lines(&e, text + mark);
    if (fclose(e.out) == 0)
        return out;
    free(out);
    return NULL;
}

/* ---- the word ---- */

static bool can_be_read_back(const char *value)
{
    size_t len = strlen(value);
    if (len && (isspace((unsigned char)value[0]) || isspace((unsigned char)value[len - 1])))
        return false;
    for (size_t i = 0; i < len; i++)
        if (begins_comment(value, i) || value[i] == '\n')
            return false;
    return true;
}

const char *flags_edit_read(const char *word, char *name, size_t size, struct flags_edit *out)
{
    size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-"), used = len;
    out->how = FLAGS_EDIT_SET;
    if (len && word[len] == '=' && word[len - 1] == '-') {
        out->how = FLAGS_EDIT_REMOVE;
        used--;
    } else if (word[len] == '+') {
        out->how = FLAGS_EDIT_ADD;
        len++;
    }
    if (used == 0 || used >= size || word[len] != '=')
        return "no change: give NAME=VALUE, NAME+=VALUE or NAME-=VALUE";
    out->name = name;
    out->value = word + len + 1;
    memcpy(name, word, used);
    name[used] = '\0';
    if (!can_be_read_back(out->value))
        return "a line cannot say that: its value would end at a blank, a line's end, or a comment";
    if (used + strlen(out->value) + 4 > FLAGS_FILE_LINE_MAX)
        return "longer than a line may be";
    return out->value[0] || out->how == FLAGS_EDIT_REMOVE ? NULL : "has no value: NAME-= takes the flag away";
}
