/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A text as a QR code (ISO/IEC 18004) on a terminal, by libqrencode: two rows of modules in a line of half blocks. */

#include "base/err.h"
#include <stdbool.h>
#include <stdio.h>

#define QR_MARGIN 4 /* modules of light around it */

/* False: this program was built without libqrencode. */
bool qr_is_there(void);

/* Prints it, light on dark, as terminals are; colour: whatever theirs are. *columns is its width also where it is wider than
 * most, 0: any, and not printed: ERR_SPACE. ERR_SPACE with 0 columns: text is too long for any code. ERR_NOMEM,
 * ERR_UNSUPPORTED. */
int qr_print(const char *text, bool colour, unsigned most, FILE *out, unsigned *columns) must_check;
