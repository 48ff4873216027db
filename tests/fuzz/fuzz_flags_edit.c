/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to a configuration file: the first line is the change, the rest a file. What the file says before, the change is
 * done to; what it says after is what that makes of it. And who reads lines finds all others as they were. */

#include "base/flags_edit.h"
#include "base/flags_file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAYS_MAX 4096

/* In the order of the lines; more than there is room for ends the input. */
struct says {
    unsigned count;
    struct {
        char name, value[FLAGS_FILE_LINE_MAX + 1];
    } list[SAYS_MAX];
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static const char *say(struct says *s, char name, const char *value)
{
    if (s->count == SAYS_MAX)
        return "too many";
    s->list[s->count].name = name;
    strcpy(s->list[s->count++].value, value);
    return NULL;
}

static const char *read_a(void *context, const char *text)
{
    return say(context, 'a', text);
}

static const char *read_b(void *context, const char *text)
{
    return say(context, 'b', text);
}

static const struct flag rows[] = {{"a", "TEXT", "one", read_a, 0}, {"b", "TEXT", "another", read_b, 0}};
static const struct flags flags = {.program = "fuzz", .rows = rows, .count = sizeof(rows) / sizeof(*rows)};

static bool read_text(const char *text, struct says *out)
{
    int fd = memfd_create("configuration", MFD_CLOEXEC);
    check(fd >= 0 && fchmod(fd, 0600) == 0);
    check(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    check(lseek(fd, 0, SEEK_SET) == 0);
    out->count = 0;
    return flags_file_read_open(&flags, fd, out) == NULL;
}

/* What is said before, after the change. */
static void change(const struct flags_edit *edit, const struct says *before, struct says *out)
{
    unsigned last = 0;
    bool done = edit->how == FLAGS_EDIT_REMOVE;
    out->count = 0;
    for (unsigned i = 0; i < before->count; i++)
        last = before->list[i].name == edit->name[0] ? i + 1 : last;
    for (unsigned i = 0; i < before->count; i++) {
        const char *value = before->list[i].value;
        bool named = before->list[i].name == edit->name[0];
        bool goes =
            named && (edit->how == FLAGS_EDIT_SET ||
                      (edit->how == FLAGS_EDIT_REMOVE && (!edit->value[0] || !strcmp(value, edit->value))));
        if (!goes)
            (void)!say(out, before->list[i].name, value);
        if (named && !done && (edit->how == FLAGS_EDIT_SET || i + 1 == last)) {
            (void)!say(out, edit->name[0], edit->value);
            done = true;
        }
    }
    if (!done)
        (void)!say(out, edit->name[0], edit->value);
}

static void check_says(const struct says *a, const struct says *b)
{
    check(a->count == b->count);
    for (unsigned i = 0; i < a->count; i++)
        check(a->list[i].name == b->list[i].name && strcmp(a->list[i].value, b->list[i].value) == 0);
}

static void check_change(const struct flags_edit *edit, const char *text)
{
    static struct says before, wanted, after;
    if (!read_text(text, &before) || before.count == SAYS_MAX)
        return;
    char *out = flags_edit_apply(edit, text);
    check(out != NULL);
    change(edit, &before, &wanted);
    if (read_text(out, &after)) /* a line may have become too long */
        check_says(&wanted, &after);
    else
        check(strlen(out) > FLAGS_FILE_LINE_MAX);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size), name[8];
    char *rest = strchr(text, '\n');
    struct flags_edit edit;
    if (rest) {
        *rest++ = '\0';
        if (!flags_edit_read(text, name, sizeof(name), &edit) && (!strcmp(name, "a") || !strcmp(name, "b")))
            check_change(&edit, rest);
    }
    free(text);
    return 0;
}
