/* SPDX-License-Identifier: Apache-2.0 */
/* Stops at the first line that is wrong: what a later one says may depend on it. */
#include "base/flags_file.h"

#include "base/own_file.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NESTED "a file names no further file"

struct reading {
    const struct flags *flags;
    void *context;
    FILE *file;
    char *line; /* of getline */
    size_t capacity;
    unsigned number; /* of the line, from 1 */
};

static char wrong[1024]; /* empty: nothing yet */
static bool reading;     /* a file */

__attribute__((format(printf, 2, 3))) static void refuse(const struct reading *r, const char *format, ...)
{
    va_list args;
    if (wrong[0])
        return;
    int len = snprintf(wrong, sizeof(wrong), "line %u: ", r->number);
    va_start(args, format);
    vsnprintf(wrong + len, sizeof(wrong) - (size_t)len, format, args);
    va_end(args);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where a comment begins, or the line's end. */
static size_t comment_at(const char *line)
{
    size_t i = 0;
    while (line[i] && !((line[i] == '#' || line[i] == ';') && (i == 0 || is_blank(line[i - 1]))))
        i++;
    return i;
}

/* For inih: the next line without its comment, from its first letter on, as it takes indented ones for more of the line
 * before. NULL at the end, or once something is wrong. */
static char *next_line(char *text, int size, void *stream)
{
    struct reading *r = stream;
    ssize_t len = wrong[0] ? -1 : getline(&r->line, &r->capacity, r->file);
    if (len < 0)
        return NULL;
    r->number++;
    if (r->number > FLAGS_FILE_LINES_MAX)
        refuse(r, "one too many: this is no configuration");
    else if (strlen(r->line) != (size_t)len)
        refuse(r, "a zero byte: this is no text");
    else if (len > FLAGS_FILE_LINE_MAX || len >= size)
        refuse(r, "longer than %d bytes: shorten it, or give this flag on the command line",
               FLAGS_FILE_LINE_MAX);
    r->line[comment_at(r->line)] = '\0';
    const char *from = r->line;
    while (isspace((unsigned char)*from)) /* as inih, to which also \v is an indent */
        from++;
    if (*from == '[')
        refuse(r, "there are no sections: take [...] away");
    snprintf(text, (size_t)size, "%s", wrong[0] ? "" : from);
    return text;
}

/* For inih: one "name = value". */
static int take(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    const struct flag *row = flags_find(r->flags, name, strlen(name)), *meant;
    const char *said = row ? row->read(r->context, value) : NULL;
    (void)section; /* next_line lets none through */
    if (said)
        refuse(r, "%s = %s: %s", name, value, said);
    if (row)
        return !wrong[0];
    meant = flags_guess(r->flags, name, strlen(name));
    if (meant)
        refuse(r, "unknown flag %s: did you mean %s?", name, meant->name);
    else
        refuse(r, "unknown flag %s: `%s -help` lists them", name, r->flags->program);
    return 0;
}

/* Reads an open file to its end, or to what is wrong. */
static void read_lines(struct reading *r)
{
    wrong[0] = '\0';
    reading = true;
    int bad = ini_parse_stream(next_line, r, take, r);
    reading = false;
    if (bad > 0)
        r->number = (unsigned)bad;
    if (bad)
        refuse(r, "this is no \"name = value\"; a switch is \"name = true\"");
}

const char *flags_file_read_open(const struct flags *f, int fd, void *context)
{
    struct reading r = {.flags = f, .context = context, .file = reading ? NULL : fdopen(fd, "r")};
    if (!r.file) {
        close(fd);
        return reading ? NESTED : strerror(ENOMEM);
    }
    read_lines(&r);
    free(r.line);
    fclose(r.file);
    return wrong[0] ? wrong : NULL;
}

const char *flags_file_read(const struct flags *f, const char *path, void *context)
{
    const char *unfit;
    if (reading)
        return NESTED;
    int fd = own_file_open(path, OWN_FILE_SHOWN, &unfit);
    return fd < 0 ? unfit : flags_file_read_open(f, fd, context);
}
