/* SPDX-License-Identifier: Apache-2.0 */
#include "node/config/words.h"

#include "base/private_file.h"

#include <string.h>

static const char *split(char *text, struct words *out)
{
    char *colon = strchr(text, ':');
    if (!colon || colon == text)
        return "its first line is not USER:PASSWORD";
    *colon = '\0';
    if (strlen(text) >= sizeof(out->user) || strlen(colon + 1) >= sizeof(out->password))
        return "its first line is too long";
    strcpy(out->user, text);
    strcpy(out->password, colon + 1);
    return NULL;
}

const char *words_read(const char *path, struct words *out)
{
    char text[2 * WORDS_MAX + 2];
    *out = (struct words){0};
    const char *wrong = private_file_read_line(path, text, sizeof(text));
    if (!wrong)
        wrong = split(text, out);
    explicit_bzero(text, sizeof(text));
    return wrong;
}
