/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/secret_line.h"

#include "cli/cli.h"
#include "crypto/secret.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static void interrupt(int number)
{
    (void)number; /* ends the reading, so that the terminal shows again what is typed */
}

static bool ask(const char *prompt, char *line, size_t size)
{
    struct termios before, silent;
    struct sigaction ends = {.sa_handler = interrupt}, kept;
    bool known = tcgetattr(STDIN_FILENO, &before) == 0;
    sigaction(SIGINT, &ends, &kept);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    fputs(prompt, stderr);
    if (known)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    bool got = fgets(line, (int)size, stdin);
    if (known)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    sigaction(SIGINT, &kept, NULL);
    fputc('\n', stderr);
    return got;
}

bool secret_line_read(const char *prompt, char *line, size_t size)
{
    setvbuf(stdin, NULL, _IONBF, 0); /* no copy of it stays */
    return isatty(STDIN_FILENO) ? ask(prompt, line, size) : fgets(line, (int)size, stdin) != NULL;
}

/* Of a longer line the rest would be the next one. */
static bool read_phrase(const char *prompt, char out[PASSPHRASE_MAX])
{
    if (!secret_line_read(prompt, out, PASSPHRASE_MAX) || strlen(out) == PASSPHRASE_MAX - 1)
        return false;
    out[strcspn(out, "\r\n")] = '\0';
    return out[0] != '\0';
}

static bool is_same_again(const char *first)
{
    char again[PASSPHRASE_MAX];
    bool same =
        !isatty(STDIN_FILENO) || (read_phrase("The same again: ", again) && strcmp(first, again) == 0);
    secret_wipe(again, sizeof(again));
    return same;
}

static const char *judge(const char *phrase, bool fresh)
{
    if (fresh && strlen(phrase) < PASSPHRASE_MIN)
        return "it needs at least 8 characters";
    return fresh && !is_same_again(phrase) ? "these two were not the same" : NULL;
}

bool secret_line_passphrase(const char *verb, const char *prompt, bool fresh, char out[PASSPHRASE_MAX])
{
    const char *wrong = read_phrase(prompt, out) ? judge(out, fresh)
                                                 : "give it at a terminal, or as a line of standard input";
    if (wrong) {
        cli_complain("%s: no passphrase: %s", verb, wrong);
        secret_wipe(out, PASSPHRASE_MAX);
    }
    return !wrong;
}
