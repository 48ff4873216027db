/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of tokens in header fields (RFC 9110 §5.6.1), in any case. */

#include "backbone/upgrade.h"

#include "proto/uplink/uplink_message.h"
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool has_token(const char *list, const char *token)
{
    size_t len = strlen(token);
    while (list && *list) {
        list += strspn(list, " \t,");
        size_t element = strcspn(list, " \t,");
        if (element == len && strncasecmp(list, token, len) == 0)
            return true;
        list += element;
    }
    return false;
}

const char *upgrade_check(const struct upgrade_request *r, char accept[WEBSOCKET_ACCEPT_LEN + 1])
{
    if (!has_token(r->upgrade, "websocket") || !has_token(r->connection, "upgrade"))
        return "this path is a WebSocket's: a proxy in front must pass Upgrade and Connection on";
    if (!r->version || strcmp(r->version, "13") != 0)
        return "the version of WebSocket is 13";
    if (!has_token(r->protocol, UPLINK_SUBPROTOCOL))
        return "the subprotocol is " UPLINK_SUBPROTOCOL;
    if (!r->key || strlen(r->key) != WEBSOCKET_KEY_LEN || websocket_accept(r->key, accept) != 0)
        return "Sec-WebSocket-Key is 16 bytes in base64";
    return NULL;
}
