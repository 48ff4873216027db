/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/token_input.h"

#include "cli/cli.h"
#include "cli/secret_line.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <string.h>

#define BEGIN    "sm"
#define LINE_LEN (2 * TOKEN_TEXT_MAX)

/* The word with the token in it: people paste `shadowmesh join sm1:…`, too. */
static const char *find(char *line, size_t *len)
{
    const char *best = line + strspn(line, " \t\r\n");
    for (char *word = line; *word;) {
        word += strspn(word, " \t\r\n");
        if (strncmp(word, BEGIN, sizeof(BEGIN) - 1) == 0)
            best = word;
        word += strcspn(word, " \t\r\n");
    }
    *len = strcspn(best, " \t\r\n");
    return best;
}

static bool explain(int err)
{
    switch (err) {
    case 0:
        return true;
    case ERR_MISMATCH:
        cli_complain("the token was cut or altered on the way: copy the whole line again");
        return false;
    case ERR_UNSUPPORTED:
        cli_complain("the token is of another version of ShadowMesh: update this one");
        return false;
    default:
        cli_complain(
            "this is no token: it begins with sm1: and is one word, as `shadowmesh invite` prints it there");
        return false;
    }
}

static bool decode(char *line, struct token *out, char text[TOKEN_TEXT_MAX])
{
    size_t len;
    const char *word = find(line, &len);
    int err = token_decode(word, len, out);
    if (!err)
        snprintf(text, TOKEN_TEXT_MAX, "%.*s", (int)len, word);
    return explain(err);
}

bool token_input(char *word, struct token *out, char text[TOKEN_TEXT_MAX])
{
    char line[LINE_LEN] = "";
    if (word) {
        snprintf(line, sizeof(line), "%s", word);
        memset(word, '*', strlen(word)); /* ps(1) shows it */
    } else if (!secret_line_read("Paste the token, which is not shown: ", line, sizeof(line))) {
        cli_complain("no token: give it on standard input, or at the prompt of a terminal");
        return false;
    }
    bool ok = decode(line, out, text);
    secret_wipe(line, sizeof(line));
    return ok;
}
