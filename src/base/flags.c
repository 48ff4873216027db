/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and prints the flags of a program. Main thread, before anything else runs. */
#include "base/flags.h"

#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 28
#define HELP_WIDTH  79
#define VALUE_SHOWN 300 /* bytes of a value that a refusal repeats */
#define NAME_MAX    32  /* longer ones are no typing error of a flag */

#define COMPLAINT_MAX 1024

static_assert(FLAGS_MAX <= 64, "a bit for each row");

void flags_vcomplain(const char *program, const char *format, va_list args)
{
    char line[COMPLAINT_MAX];
    vsnprintf(line, sizeof(line), format, args);
    size_t len = text_clean(line, strlen(line));
    fflush(stdout);
    fprintf(stderr, "%s: %.*s\n", program, (int)len, line);
}

void flags_complain(const char *program, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    flags_vcomplain(program, format, args);
    va_end(args);
}

void flags_say(const struct flags *f, void *context, const char *format, ...)
{
    char line[COMPLAINT_MAX];
    va_list args;
    va_start(args, format);
    if (f->say) {
        vsnprintf(line, sizeof(line), format, args);
        line[text_clean(line, strlen(line))] = '\0';
        f->say(context, line);
    } else {
        flags_vcomplain(f->program, format, args);
    }
    va_end(args);
}

const char *flags_read_switch(const char *text, bool *out)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0 ? NULL : "is a switch: give it alone, or with =true or =false";
}

const char *flags_read_on_off(const char *text, bool *out)
{
    *out = strcmp(text, "on") == 0;
    return *out || strcmp(text, "off") == 0 ? NULL : "give on or off";
}

/* ---- help ---- */

/* Bytes of text that go on a line of width columns: up to a blank, or all. */
static size_t line_length(const char *text, size_t width)
{
    size_t len = strlen(text), at = width;
    if (len <= width)
        return len;
    while (at > 0 && text[at] != ' ')
        at--;
    return at ? at : width;
}

static void print_row(const char *name, const char *value, const char *help)
{
    int used = printf("  -%s%s%s", name, value ? " " : "", value ? value : "");
    if (used >= HELP_COLUMN) {
        putchar('\n');
        used = 0;
    }
    while (*help) {
        size_t len = line_length(help, HELP_WIDTH - HELP_COLUMN);
        printf("%*s%.*s\n", HELP_COLUMN - used, "", (int)len, help);
        help += len;
        help += *help == ' ';
        used = 0;
    }
}

void flags_print_rows(const struct flags *f, unsigned users)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct flag *row = &f->rows[i];
        if (!row->name)
            printf("\n%s:\n", row->help);
        else if (row->help && (users == 0 || row->users & users))
            print_row(row->name, row->value, row->help);
    }
    print_row("help", NULL, "print this page and exit");
    if (users == 0)
        print_row("version", NULL, "print the version and exit");
}

static void print_help(const struct flags *f, const void *context)
{
    if (f->help) {
        f->help(context);
        return;
    }
    puts(f->head);
    flags_print_rows(f, 0);
    if (f->tail)
        printf("\n%s\n", f->tail);
}

/* ---- unknown flags ---- */

/* How many single-character edits make a into b: to guess which flag was meant. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b)
{
    unsigned row[NAME_MAX];
    size_t b_len = strlen(b);
    if (a_len >= NAME_MAX || b_len >= NAME_MAX)
        return NAME_MAX;
    for (unsigned j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b_len];
}

const struct flag *flags_guess(const struct flags *f, const char *text, size_t len)
{
    const struct flag *guess = NULL;
    unsigned best = 3; /* further away is no guess */
    for (size_t i = 0; i < f->count; i++) {
        const struct flag *row = &f->rows[i];
        unsigned distance = row->help && row->name ? edit_distance(text, len, row->name) : NAME_MAX;
        if (distance < best && distance < len) {
            best = distance;
            guess = row;
        }
    }
    return guess;
}

static void complain_unknown(const struct flags *f, void *context, const char *text, size_t len)
{
    const struct flag *guess = flags_guess(f, text, len);
    if (guess)
        flags_say(f, context, "unknown flag -%.*s: did you mean -%s? `%s -help` lists them", (int)len, text,
                  guess->name, f->program);
    else
        flags_say(f, context, "unknown flag -%.*s: `%s -help` lists the flags", (int)len, text, f->program);
}

/* ---- reading ---- */

static bool is_name(const char *text, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(text, name, len) == 0;
}

/* "-help" and the like: *out tells whether it was one, which then was printed, refused or =false. */
static enum flags_result parse_own(const struct flags *f, void *context, const char *name, bool *out)
{
    size_t len = strcspn(name, "=");
    bool on = true, help = is_name(name, len, "help") || is_name(name, len, "h");
    *out = help || is_name(name, len, "version") || is_name(name, len, "V");
    const char *wrong = *out && name[len] ? flags_read_switch(name + len + 1, &on) : NULL;
    if (wrong)
        flags_say(f, context, "-%s: %s", name, wrong);
    if (wrong)
        return FLAGS_EXIT_USAGE;
    if (!*out || !on)
        return FLAGS_RUN;
    if (help)
        print_help(f, context);
    else
        printf("%s " SHADOWMESH_VERSION "\n", f->program);
    return FLAGS_EXIT_OK;
}

const struct flag *flags_find(const struct flags *f, const char *name, size_t len)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->rows[i].name && is_name(name, len, f->rows[i].name))
            return &f->rows[i];
    return NULL;
}

/* The row of "name", "name=VALUE" or "n3"; *value is what stands in the same argument, or NULL. */
static const struct flag *split(const struct flags *f, const char *name, const char **value)
{
    size_t len = strcspn(name, "=");
    const struct flag *row = flags_find(f, name, len);
    *value = name[len] ? name + len + 1 : NULL;
    if (row || name[0] == '\0' || name[1] < '0' || name[1] > '9')
        return row;
    row = flags_find(f, name, 1);
    *value = name + 1;
    return row && row->value ? row : NULL;
}

/* Reads the flag at argv[*at] and moves *at past it. */
static bool parse_flag(const struct flags *f, int argc, char **argv, int *at, void *context, uint64_t *seen)
{
    const char *name = argv[*at] + (argv[*at][1] == '-' ? 2 : 1), *value;
    const struct flag *row = split(f, name, &value);
    ++*at;
    if (!row) {
        complain_unknown(f, context, name, strcspn(name, "="));
        return false;
    }
    bool alone = !value && !row->value;
    if (alone)
        value = "true";
    if (!value && *at < argc)
        value = argv[(*at)++];
    if (!value) {
        flags_say(f, context, "-%s needs a value: -%s %s", row->name, row->name, row->value);
        return false;
    }
    const char *wrong = row->read(context, value);
    if (wrong && alone)
        flags_say(f, context, "-%s: %s", row->name, wrong);
    else if (wrong)
        flags_say(f, context, "-%s%c%.*s%s: %s", row->name, row->value ? ' ' : '=', VALUE_SHOWN, value,
                  strlen(value) > VALUE_SHOWN ? "..." : "", wrong);
    *seen |= UINT64_C(1) << (row - f->rows);
    return !wrong;
}

static bool take_word(const struct flags *f, void *context, const char *text)
{
    if (f->word)
        return f->word(context, text);
    flags_say(f, context, "unexpected argument \"%s\": flags begin with '-', `%s -help` lists them", text,
              f->program);
    return false;
}

enum flags_result flags_parse(const struct flags *f, int argc, char **argv, void *context, uint64_t *seen)
{
    uint64_t ignored, *bits = seen ? seen : &ignored;
    *bits = 0;
    for (int i = 1; i < argc;) {
        bool own = false, is_flag = argv[i][0] == '-' && argv[i][1] != '\0';
        enum flags_result result =
            is_flag ? parse_own(f, context, argv[i] + (argv[i][1] == '-' ? 2 : 1), &own) : FLAGS_RUN;
        if (result != FLAGS_RUN)
            return result;
        if (own)
            i++;
        else if (!(is_flag ? parse_flag(f, argc, argv, &i, context, bits) : take_word(f, context, argv[i++])))
            return FLAGS_EXIT_USAGE;
    }
    return FLAGS_RUN;
}

/* ---- another reading ---- */

uint64_t flags_differ(const struct flags *f, const void *a, const void *b)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < f->count; i++) {
        const struct flag *row = &f->rows[i];
        if (memcmp((const char *)a + row->field.offset, (const char *)b + row->field.offset,
                   row->field.size) != 0)
            rows |= UINT64_C(1) << i;
    }
    return rows;
}

void flags_take(const struct flags *f, void *to, const void *from)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct flag *row = &f->rows[i];
        if (row->reload == FLAG_RELOADS)
            memcpy((char *)to + row->field.offset, (const char *)from + row->field.offset, row->field.size);
    }
}

void flags_restarts(const struct flags *f, uint64_t rows, void (*tell)(void *context, const char *name),
                    void *context)
{
    size_t told = SIZE_MAX;
    for (size_t i = 0; i < f->count; i++) {
        const struct flag *row = &f->rows[i];
        if (!(rows >> i & 1) || row->reload != FLAG_RESTARTS || row->field.offset == told)
            continue;
        told = row->field.offset;
        tell(context, row->name);
    }
}
