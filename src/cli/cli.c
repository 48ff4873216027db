/* SPDX-License-Identifier: Apache-2.0 */
/* Complaints, in the words and on the stream of every program (base/flags.h). */

#include "cli/cli.h"

#include "base/flags.h"
#include <stdarg.h>

void cli_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    flags_vcomplain("shadowmesh", format, args);
    va_end(args);
}
