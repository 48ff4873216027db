/* SPDX-License-Identifier: Apache-2.0 */
/* The API's request lines, as a caller's pipe brings them. */
#include "node/api/api_request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *request = NULL;
    const char *command = NULL;
    size_t len = 0;
    if (size > API_REQUEST_MAX)
        return 0;
    if (api_request_parse((const char *)data, size, &request, &command) != 0)
        return 0;
    /* What was taken can be echoed, as one line. */
    char *line = api_response_ok(request, &len);
    if (!command || !line || memchr(line, '\n', len) != line + len - 1)
        abort();
    free(line);
    line = api_response_error(command, &len);
    if (!line || memchr(line, '\n', len) != line + len - 1)
        abort();
    free(line);
    json_decref(request);
    return 0;
}
