/* SPDX-License-Identifier: Apache-2.0 */
/* A list of few names. */

#include "backbone/uplink_names.h"

#include "proto/uplink/uplink_message.h"
#include <ctype.h>
#include <stddef.h>

const char *uplink_names_add(struct uplink_names *n, const char *text)
{
    char name[UPLINK_NAME_MAX];
    size_t len = strlen(text);
    if (strstr(text, "://"))
        return "a URL: give HOST or HOST:PORT, as it stands in the nodes' -backbone behind ://";
    if (len >= sizeof(name))
        return "too long for a host";
    for (size_t i = 0; i <= len; i++)
        name[i] = (char)tolower((unsigned char)text[i]);
    if (!uplink_host_ok((struct slice){(const uint8_t *)name, len}))
        return "no HOST or HOST:PORT: give one such as backbone.example or [2001:db8::1]:8080";
    if (n->count == UPLINK_NAMES_MAX)
        return "one too many: give at most 16";
    memcpy(n->list[n->count++], name, len + 1);
    return NULL;
}

/* Whether text ends with a port: a colon outside of brackets. */
static bool has_port(const char *name)
{
    const char *colon = strrchr(name, ':'), *bracket = strrchr(name, ']');
    return colon && (!bracket || colon > bracket);
}

static bool is_name(const char *name, struct slice host)
{
    size_t len = strlen(name);
    if (host.len < len || memcmp(name, host.data, len) != 0)
        return false;
    return host.len == len || (host.data[len] == ':' && !has_port(name));
}

bool uplink_names_have(const struct uplink_names *n, struct slice host)
{
    for (unsigned i = 0; i < n->count; i++)
        if (is_name(n->list[i], host))
            return true;
    return n->count == 0;
}
