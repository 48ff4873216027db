/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A join token from a person: a secret, so it stands in no command line longer than it takes to read it. */

#include "crypto/token.h"
#include <stdbool.h>

/* Takes the word of the command line, which it overwrites, or, where it is NULL, asks at the terminal, without showing what is
 * typed, or reads standard input. What surrounds the token on its line does not matter. text is the token alone. Both are for
 * the caller to wipe. False when it complained. */
bool token_input(char *word, struct token *out, char text[TOKEN_TEXT_MAX]);
