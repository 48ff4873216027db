/* SPDX-License-Identifier: Apache-2.0 */
#include "node/helper/http_url.h"

#include "base/addr.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool copy_authority(const char *text, size_t len, char out[HTTP_AUTHORITY_MAX])
{
    if (len >= HTTP_AUTHORITY_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)tolower((unsigned char)text[i]);
    out[len] = '\0';
    return true;
}

bool http_url_parse(const char *url, struct http_url *out)
{
    struct addr a;
    out->is_secure = strncasecmp(url, "https://", 8) == 0;
    const char *host = url + (out->is_secure ? 8 : 7);
    size_t whole = strcspn(host, "/");
    if (!copy_authority(host, whole, out->authority))
        return false;
    out->path = host + whole;
    bool bracketed = *host == '[';
    host += bracketed;
    size_t len = strcspn(host, bracketed ? "]/" : ":/");
    const char *port = host + len + (bracketed && host[len] == ']');
    if (len >= sizeof(out->host))
        return false;
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    out->port = *port == ':' ? (uint16_t)strtoul(port + 1, NULL, 10) : out->is_secure ? 443 : 80;
    out->is_address = bracketed || addr_parse(out->host, 0, &a) == 0;
    return true;
}
