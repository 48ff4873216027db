/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's lines: a request as it comes from a stranger's pipe, a response as it leaves. docs/PROTOCOL.md
 * §11. Pure functions, any thread. */

#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define API_REQUEST_MAX 16384 /* bytes of a request line, with its newline: a certificate is in one */

/* Decodes one line without its newline. *command is borrowed from *request, which the caller decrefs.
 * ERR_FORMAT when it is no JSON object with a string "cmd". */
int api_request_parse(const char *line, size_t len, json_t **request, const char **command) must_check;

/* One line with its newline, for the caller to free; NULL when there is no memory. result is borrowed. */
char *api_response_ok(const json_t *result, size_t *len);
char *api_response_error(const char *error, size_t *len);

/* The next piece of the line with a list: what stands before it when first, up to API_LIST_PIECE entries, and what
 * stands behind it when those were the *last. As above. */
struct api_list;
char *api_response_piece(const struct api_list *list, bool first, bool *last, size_t *len);
