/* SPDX-License-Identifier: Apache-2.0 */
#include "node/command/status_doors.h"

#include "node/config/config.h"
#include "node/doors/doors.h"

#include <stdio.h>

static void add_doors(json_t *list, const char *kind, const struct config_door *doors, unsigned count)
{
    char at[ADDR_TEXT_MAX], to[sizeof(doors->to.name) + 16];
    for (unsigned i = 0; i < count; i++) {
        bool bare = !strchr(doors[i].to.name, ':');
        snprintf(to, sizeof(to), bare ? "%s:%u" : "[%s]:%u", doors[i].to.name, doors[i].to.port);
        if (doors[i].at.family)
            addr_format(&doors[i].at, at);
        else
            snprintf(at, sizeof(at), "mesh:%u", doors[i].at.port);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "kind", kind, "protocol",
                                              doors[i].udp ? "udp" : "tcp", "at", at, "to", to));
    }
}

/* Its clients say where to. */
static void add_asked(json_t *list, const char *kind, const struct addr *where)
{
    char at[ADDR_TEXT_MAX];
    if (where->family)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:n}", "kind", kind, "protocol", "tcp", "at",
                                              addr_format(where, at), "to"));
}

json_t *status_doors(const struct config *config, const struct doors *doors)
{
    if (!doors)
        return json_null();
    json_t *list = json_array(), *out = json_pack("{s:o}", "list", list);
    const struct doors_counts *counts = doors_counts(doors);
    add_doors(list, "forward", config->forward, config->forward_count);
    add_asked(list, "socks", &config->socks);
    add_asked(list, "http-proxy", &config->http_proxy);
    add_doors(list, "listen", config->listen, config->listen_count);
    for (unsigned i = 0; i < DOORS_COUNTS; i++)
        json_object_set_new(out, doors_count_name(i), json_integer((json_int_t)counts->of[i]));
    return out;
}
