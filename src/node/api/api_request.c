/* SPDX-License-Identifier: Apache-2.0 */
/* The API's lines, decoded and encoded. docs/PROTOCOL.md §11. */
#include "node/api/api_request.h"

#include "node/api/api.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int api_request_parse(const char *line, size_t len, json_t **request, const char **command)
{
    json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(root, "cmd"));
    if (!name) {
        json_decref(root);
        return ERR_FORMAT;
    }
    *request = root;
    *command = name;
    return 0;
}

/* Takes root. */
static char *dump_line(json_t *root, size_t *len)
{
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    char *line = NULL;
    json_decref(root);
    if (text && (line = realloc(text, strlen(text) + 2)) != NULL) {
        *len = strlen(line) + 1;
        line[*len - 1] = '\n';
        line[*len] = '\0';
        return line;
    }
    free(text);
    return NULL;
}

char *api_response_ok(const json_t *result, size_t *len)
{
    return dump_line(json_pack("{s:b,s:O}", "ok", 1, "result", result), len);
}

char *api_response_error(const char *error, size_t *len)
{
    json_t *text = json_string(error); /* NULL when a name in it was cut inside a character */
    return dump_line(json_pack("{s:b,s:o}", "ok", 0, "error", text ? text : json_string("failed")), len);
}

/* False without memory. Takes entry. */
static bool put_entry(FILE *out, json_t *entry, bool first)
{
    bool ok =
        (first || fputc(',', out) != EOF) && json_dumpf(entry, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
    json_decref(entry);
    return ok;
}

char *api_response_piece(const struct api_list *list, bool first, bool *last, size_t *len)
{
    char *text = NULL;
    json_t *entry = NULL;
    FILE *out = open_memstream(&text, len);
    if (!out)
        return NULL;
    bool ok = !first || fprintf(out, "{\"ok\":true,\"result\":{\"%s\":[", list->member) > 0;
    for (unsigned i = 0; ok && i < API_LIST_PIECE && (entry = list->next(list->context)); i++)
        ok = put_entry(out, entry, first && i == 0);
    *last = ok && !entry;
    if (*last)
        ok = fputs("]}}\n", out) != EOF;
    if (fclose(out) == 0 && ok)
        return text;
    free(text);
    return NULL;
}
