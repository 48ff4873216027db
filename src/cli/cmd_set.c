/* SPDX-License-Identifier: Apache-2.0 */
/* shadowmesh set: changes values in the configuration file of a node. The new file is written beside the old one, judged by
 * the node's program, and takes its place at once. */
#include "cli/cmd.h"

#include "base/flags_edit.h"
#include "base/flags_file.h"
#include "base/folder.h"
#include "cli/cli.h"
#include "cli/conf_file.h"
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)FLAGS_FILE_LINES_MAX * (FLAGS_FILE_LINE_MAX + 1))
#define FLAG_MAX 32
#define NEW      ".new"

/* The file, and the one that may follow it. */
struct changed {
    char path[PATH_MAX], next[PATH_MAX + sizeof(NEW)];
    int folder;
    struct stat was;
    char *text;
};

static const char *name_in_folder(const char *path)
{
    return strrchr(path, '/') + 1;
}

static bool complain(const char *path, const char *why)
{
    cli_complain("set: %s: %s", path, why);
    return false;
}

static const char *reason(int err)
{
    return err == ERR_IO ? strerror(errno) : err_str(err);
}

static int open_folder(const char *path, int *out)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof(folder), "%.*s", (int)(name_in_folder(path) - path), path);
    return folder_open(folder, out);
}

/* Links are followed: what they lead to is changed. */
static bool read_file(const char *path, struct changed *out)
{
    size_t len = 0;
    if (!realpath(path, out->path))
        return complain(path, strerror(errno));
    snprintf(out->next, sizeof(out->next), "%s" NEW, out->path);
    int err = open_folder(out->path, &out->folder);
    if (err)
        return complain(out->path, reason(err));
    const char *name = name_in_folder(out->path);
    out->text = malloc(FILE_MAX);
    err = !out->text ? ERR_NOMEM
                     : folder_read(out->folder, name, OWN_FILE_SHOWN, (uint8_t *)out->text, FILE_MAX, &len);
    if (!err)
        err = fstatat(out->folder, name, &out->was, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : ERR_IO;
    if (!err && memchr(out->text, '\0', len))
        return complain(out->path, "a zero byte is in it: this is no text");
    if (err)
        return complain(out->path, reason(err));
    out->text[len] = '\0';
    return true;
}

static bool apply(struct changed *c, const char *word)
{
    char name[FLAG_MAX];
    struct flags_edit edit;
    const char *wrong = flags_edit_read(word, name, sizeof(name), &edit);
    if (wrong)
        return complain(word, wrong);
    char *text = flags_edit_apply(&edit, c->text);
    if (!text)
        return complain(word, err_str(ERR_NOMEM));
    free(c->text);
    c->text = text;
    return true;
}

/* With the old one's mode and owner. */
static bool write_next(const struct changed *c)
{
    const char *name = name_in_folder(c->next);
    int err = folder_write(c->folder, name, OWN_FILE_PRIVATE, c->text, strlen(c->text));
    if (err == ERR_EXISTS)
        return complain(c->next, "another change is under way, or was broken off: then remove this file");
    if (err)
        return complain(c->next, reason(err));
    if (fchownat(c->folder, name, c->was.st_uid, c->was.st_gid, AT_SYMLINK_NOFOLLOW) == 0 &&
        fchmodat(c->folder, name, c->was.st_mode & 07777, 0) == 0)
        return true;
    complain(c->next, strerror(errno));
    unlinkat(c->folder, name, 0);
    return false;
}

static int judge(const char *path)
{
    pid_t child = program_start((const char *const[]){"-config", path, "-check", NULL}, NULL);
    if (child < 0)
        cli_complain("shadowmesh-l2 cannot be run: %s", strerror(errno));
    return child < 0 ? CLI_FAILURE : program_wait(child);
}

static int replace(const struct changed *c, const char *word)
{
    if (!write_next(c))
        return CLI_FAILURE;
    int code = judge(c->next);
    if (code == CLI_OK &&
        (renameat(c->folder, name_in_folder(c->next), c->folder, name_in_folder(c->path)) != 0 ||
         fsync(c->folder) != 0)) {
        complain(c->path, strerror(errno));
        code = CLI_FAILURE;
    }
    if (code == CLI_OK)
        printf("%s: changed; `shadowmesh reload %s` has a running node take it\n", c->path, word);
    else
        (void)unlinkat(c->folder, name_in_folder(c->next), 0);
    return code;
}

static int change(const struct cli_options *options, struct changed *c, const char *path)
{
    if (!read_file(path, c))
        return CLI_FAILURE;
    char *before = strdup(c->text);
    bool ok = before != NULL;
    for (unsigned i = 1; ok && i < options->word_count; i++)
        ok = apply(c, options->words[i]);
    bool same = ok && strcmp(before, c->text) == 0;
    free(before);
    if (same)
        printf("%s: nothing has changed\n", c->path);
    return !ok ? CLI_USAGE : same ? CLI_OK : replace(c, options->words[0]);
}

int cmd_set(const struct cli_options *options)
{
    char path[CONF_FILE_MAX];
    struct changed c = {.folder = -1};
    if (conf_file_of("set", options, path))
        return CLI_USAGE;
    if (options->word_count < 2) {
        cli_complain("set needs a change: shadowmesh set NAME FLAG=VALUE (or +=, -=)");
        return CLI_USAGE;
    }
    int code = change(options, &c, path);
    if (c.folder >= 0)
        close(c.folder);
    free(c.text);
    return code;
}
