/* SPDX-License-Identifier: Apache-2.0 */
/* By lines: what is between the marks is left out, and made anew behind all else. */
#include "node/helper/hosts_block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_MAX 128

static const char *end_of_line(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline ? newline + 1 : end;
}

/* The line that begins with mark, and what is behind it; NULL. */
static const char *find_line(const char *at, const char *end, const char *mark)
{
    size_t len = strlen(mark);
    for (; at < end; at = end_of_line(at, end))
        if ((size_t)(end - at) >= len && memcmp(at, mark, len) == 0)
            return at;
    return NULL;
}

static void put_names(FILE *out, const char *network, const struct hosts_name *names, size_t count)
{
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < names[i].count; k++)
            fprintf(out, "%s\t%s.%s.internal\n", addr_format(&names[i].addresses[k], text), names[i].name,
                    network);
}

char *hosts_block_put(const char *text, size_t len, const char *network, const struct hosts_name *names,
                      size_t count, size_t *out_len)
{
    char begin[MARK_MAX], end[MARK_MAX], *out = NULL;
    const char *at = text, *stop = text + len, *block, *last;
    FILE *file = open_memstream(&out, out_len);
    if (!file)
        return NULL;
    snprintf(begin, sizeof(begin), "# shadowmesh %s: begin\n", network);
    snprintf(end, sizeof(end), "# shadowmesh %s: end\n", network);
    while ((block = find_line(at, stop, begin))) {
        fwrite(at, 1, (size_t)(block - at), file);
        last = find_line(block, stop, end);
        at = end_of_line(last ? last : block, stop);
    }
    fwrite(at, 1, (size_t)(stop - at), file);
    if (count) {
        fprintf(file, "%s%s", len && stop[-1] != '\n' ? "\n" : "", begin);
        put_names(file, network, names, count);
        fputs(end, file);
    }
    if (fclose(file) == 0)
        return out;
    free(out);
    return NULL;
}
