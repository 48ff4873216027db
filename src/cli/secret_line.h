/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A secret from a person: one line of standard input, or of the terminal, which shows nothing of it. */

#include <stdbool.h>
#include <stddef.h>

#define PASSPHRASE_MIN 8
#define PASSPHRASE_MAX 1024 /* with a NUL */

/* Reads a line, with its newline if it has one; prompt is what a terminal shows. False when there is none. The line is the
 * caller's to wipe. */
bool secret_line_read(const char *prompt, char *line, size_t size);

/* Reads a passphrase: of a terminal twice when fresh, as it will be needed again. False when it complained, in the words of
 * verb. */
bool secret_line_passphrase(const char *verb, const char *prompt, bool fresh, char out[PASSPHRASE_MAX]);
