/* SPDX-License-Identifier: Apache-2.0 */
/* A request of fixed form, and an answer's head: a status line, and lines of which three matter. */
#include "node/helper/uplink_upgrade.h"

#include "crypto/base64.h"
#include "proto/uplink/uplink_message.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int uplink_upgrade_init(const uint8_t nonce[16], struct uplink_upgrade *out)
{
    base64_encode(nonce, 16, out->key);
    return websocket_accept(out->key, out->accept);
}

int uplink_upgrade_request(const struct uplink_upgrade *u, const struct http_url *url, bool visits,
                           char out[UPLINK_REQUEST_MAX])
{
    int len = snprintf(out, UPLINK_REQUEST_MAX,
                       "GET %s" UPLINK_PATH
                       "%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
                       "Sec-WebSocket-Protocol: " UPLINK_SUBPROTOCOL
                       "\r\nUser-Agent: shadowmesh/" SHADOWMESH_VERSION "\r\n\r\n",
                       url->path, visits ? "?" UPLINK_VISIT "=1" : "", url->authority, u->key);
    return len < UPLINK_REQUEST_MAX ? len : ERR_SPACE;
}

/* The value of the first header of this name, without blanks around it; of length 0 when there is none. head ends with an
 * empty line. */
static const char *value_of(const char *head, size_t head_len, const char *name, size_t *len)
{
    size_t name_len = strlen(name);
    const char *end = head + head_len;
    *len = 0;
    for (const char *line = head, *next; line < end; line = next) {
        const char *stop = memchr(line, '\r', (size_t)(end - line));
        if (!stop)
            return NULL;
        next = stop + 1 < end && stop[1] == '\n' ? stop + 2 : stop + 1;
        if ((size_t)(stop - line) <= name_len || strncasecmp(line, name, name_len) != 0 ||
            line[name_len] != ':')
            continue;
        line += name_len + 1;
        while (line < stop && (*line == ' ' || *line == '\t'))
            line++;
        while (stop > line && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        *len = (size_t)(stop - line);
        return line;
    }
    return NULL;
}

static bool has(const char *head, size_t len, const char *name, const char *wanted)
{
    size_t value_len;
    const char *value = value_of(head, len, name, &value_len);
    return value && value_len == strlen(wanted) && memcmp(value, wanted, value_len) == 0;
}

/* "HTTP/1.1 101 …"; 0 for what is none. */
static int status_of(const char *head, size_t len)
{
    static const char version[] = "HTTP/1.1 ";
    size_t at = sizeof(version) - 1;
    int status = 0;
    if (len < at + 3 || memcmp(head, version, at) != 0)
        return 0;
    for (unsigned i = 0; i < 3; i++, at++) {
        if (head[at] < '0' || head[at] > '9')
            return 0;
        status = 10 * status + (head[at] - '0');
    }
    return status;
}

static int refuse(int status, char why[UPLINK_WHY_MAX])
{
    if (status == 404)
        snprintf(why, UPLINK_WHY_MAX,
                 "it keeps no uplinks: its version is older, or there is no backbone at this URL");
    else if (status == 101)
        snprintf(why, UPLINK_WHY_MAX, "what answers there speaks another protocol than a backbone's");
    else if (status == 503)
        snprintf(why, UPLINK_WHY_MAX, "it has no room for another uplink");
    else if (status)
        snprintf(why, UPLINK_WHY_MAX, "HTTP status %d instead of an uplink", status);
    else
        snprintf(why, UPLINK_WHY_MAX, "its answer is not HTTP/1.1");
    return ERR_FORMAT;
}

int uplink_upgrade_answer(const struct uplink_upgrade *u, const char *text, size_t len,
                          char why[UPLINK_WHY_MAX])
{
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    if (!end && len < UPLINK_ANSWER_MAX)
        return ERR_AGAIN;
    size_t head = end ? (size_t)(end - text) + 4 : 0;
    int status = head <= UPLINK_ANSWER_MAX ? status_of(text, head) : 0;
    if (status != 101 || !has(text, head, "Sec-WebSocket-Accept", u->accept) ||
        !has(text, head, "Sec-WebSocket-Protocol", UPLINK_SUBPROTOCOL))
        return refuse(status, why);
    return (int)head;
}
