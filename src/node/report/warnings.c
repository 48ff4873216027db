/* SPDX-License-Identifier: Apache-2.0 */
/* A text for each kind of warning. Control thread. */

#include "node/report/warnings.h"

#include <stddef.h>
#include <stdio.h>

void warnings_set(struct warnings *w, enum warning what, const char *text, uint64_t until_us)
{
    snprintf(w->list[what].text, sizeof(w->list[what].text), "%s", text);
    w->list[what].until_us = until_us;
}

const char *warnings_text(const struct warnings *w, enum warning what, uint64_t now_us)
{
    return now_us < w->list[what].until_us ? w->list[what].text : NULL;
}
