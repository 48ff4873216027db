/* SPDX-License-Identifier: Apache-2.0 */
/* Flags are the list of a start; these commands change the running node alone. Control thread. */

#include "node/command/lists.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/api/api.h"
#include "node/config/config_value.h"
#include "node/underlay/hosts.h"
#include "proto/mesh/mesh.h"
#include <stdio.h>
#include <string.h>

struct change {
    const char *verb;
    struct node_id id;
    char hex[ID_TEXT_MAX];
};

static bool read_id(const char *verb, const json_t *request, struct api_call *call, struct change *out)
{
    const char *text = json_string_value(json_object_get(request, "id"));
    const char *wrong = text ? config_read_id(text, &out->id) : "no id";
    if (wrong) {
        api_fail(call, "%s %s: %s", verb, text ? text : "", wrong);
        return false;
    }
    out->verb = verb;
    id_format(&out->id, out->hex);
    return true;
}

static void refuse(const struct lists *l, const struct change *c, int err, struct api_call *call)
{
    if (err == ERR_EXISTS)
        api_fail(call, "%s: that id is this node's own: name another one's", c->verb);
    else if (err == ERR_SPACE)
        api_fail(call, "%s: too many peers, at most %u", c->verb, l->peers_max);
    else
        api_fail(call, "%s %s: %s", c->verb, c->hex, err_str(err));
}

/* Done. lasting: the flags say the same, so that it holds after a restart, too; note: why, or what makes it so. */
static void report(const struct change *c, bool lasting, const char *note, struct api_call *call)
{
    const struct api_caller *by = api_call_by(call);
    log_info("%s %s: by user %lu, process %ld; %s%s", c->verb, c->hex, (unsigned long)by->uid, (long)by->pid,
             lasting ? "" : "until this node stops: ", note);
    api_reply(call, json_pack("{s:s, s:b, s:s}", "id", c->hex, "lasting", lasting, "note", note));
}

static const struct config_connect *connect_flag(const struct lists *l, const struct node_id *id)
{
    for (unsigned i = 0; i < l->config->connect_count; i++)
        if (id_compare(&l->config->connect[i].id, id) == 0)
            return &l->config->connect[i];
    return NULL;
}

static bool allow_flag(const struct lists *l, const struct node_id *id)
{
    for (unsigned i = 0; i < l->config->allow_count; i++)
        if (id_compare(&l->config->allow[i], id) == 0)
            return true;
    return false;
}

void lists_allow(struct lists *l, const json_t *request, struct api_call *call)
{
    struct change c;
    char note[96];
    if (!read_id("allow", request, call, &c))
        return;
    int err = mesh_allow(l->mesh, &c.id);
    if (err) {
        refuse(l, &c, err, call);
        return;
    }
    bool lasting = allow_flag(l, &c.id);
    snprintf(note, sizeof(note), "-allow %s %s", c.hex, lasting ? "is among its flags" : "makes it last");
    report(&c, lasting, note, call);
}

void lists_disallow(struct lists *l, const json_t *request, struct api_call *call)
{
    struct change c;
    if (!read_id("disallow", request, call, &c))
        return;
    int err = mesh_disallow(l->mesh, &c.id, clock_monotonic_us());
    if (err) {
        refuse(l, &c, err, call);
        return;
    }
    hosts_remove(l->hosts, &c.id);
    if (allow_flag(l, &c.id) || connect_flag(l, &c.id))
        report(&c, false, "take its -allow and -connect out of the flags to make it last", call);
    else if (l->config->is_public)
        report(&c, false, "-public admits all; -allow for those that may come makes it last", call);
    else
        report(&c, true, "no flag names it", call);
}

void lists_disconnect(struct lists *l, const json_t *request, struct api_call *call)
{
    struct change c;
    if (!read_id("disconnect", request, call, &c))
        return;
    int err = mesh_disconnect(l->mesh, &c.id, clock_monotonic_us());
    if (err == ERR_NOT_FOUND) {
        api_fail(call,
                 "disconnect %s: this node does not dial it; disallow keeps out one that comes by itself",
                 c.hex);
        return;
    }
    hosts_remove(l->hosts, &c.id);
    bool flag = connect_flag(l, &c.id) != NULL;
    report(&c, !flag, flag ? "take its -connect out of the flags to make it last" : "no -connect names it",
           call);
}

/* ---- connect ---- */

struct hosts_wanted {
    struct config_connect list[HOSTS_PER_PEER];
    size_t count;
};

/* As the flag takes them: "HOST" or "HOST:PORT". */
static bool read_hosts(const struct change *c, const json_t *request, struct api_call *call,
                       struct hosts_wanted *out)
{
    const json_t *addresses = json_object_get(request, "addresses");
    char text[ID_TEXT_MAX + sizeof(out->list[0].host) + 16];
    out->count = json_array_size(addresses);
    if (out->count > HOSTS_PER_PEER || (addresses && !json_is_array(addresses))) {
        api_fail(call, "connect: addresses are a list of at most %d", HOSTS_PER_PEER);
        return false;
    }
    for (size_t i = 0; i < out->count; i++) {
        const char *host = json_string_value(json_array_get(addresses, i));
        int len = snprintf(text, sizeof(text), "%s@%s", c->hex, host ? host : "");
        const char *wrong = len < (int)sizeof(text) ? config_read_connect(text, &out->list[i]) : "too long";
        if (wrong) {
            api_fail(call, "connect %s@%s: %s", c->hex, host ? host : "", wrong);
            return false;
        }
    }
    return true;
}

static bool says_so(const struct config_connect *flag, const struct hosts_wanted *hosts)
{
    bool same = flag != NULL;
    for (size_t i = 0; i < hosts->count; i++)
        same = same && flag->port == hosts->list[i].port && strcmp(flag->host, hosts->list[i].host) == 0;
    return same;
}

/* False: it has answered why not. */
static bool connect_to(struct lists *l, const struct change *c, const struct hosts_wanted *hosts,
                       struct api_call *call)
{
    int err = mesh_connect(l->mesh, &c->id);
    if (err) {
        refuse(l, c, err, call);
        return false;
    }
    for (size_t i = 0; !err && i < hosts->count; i++)
        err = hosts_add(l->hosts, &hosts->list[i]);
    if (err == ERR_SPACE)
        api_fail(call, "connect %s: at most %d hosts of one peer; disconnect forgets them", c->hex,
                 HOSTS_PER_PEER);
    else if (err)
        refuse(l, c, err, call);
    return err == 0;
}

/* As the flag's warning has it; empty where a backbone or a host tells where it is. */
static const char *how_found(const struct config *c, const struct hosts_wanted *hosts)
{
    if (hosts->count || c->backbone_count)
        return "";
    return c->lan == CONFIG_LAN_OFF
               ? "; without -backbone and @HOST it is not dialled unless a peer knows where it is"
               : "; without -backbone and @HOST it is found on the local network alone, or where a peer "
                 "knows "
                 "it to be";
}

void lists_connect(struct lists *l, const json_t *request, struct api_call *call)
{
    struct change c;
    struct hosts_wanted hosts;
    char note[sizeof(c.hex) + sizeof(hosts.list[0].host) + 192];
    if (!read_id("connect", request, call, &c) || !read_hosts(&c, request, call, &hosts))
        return;
    if (!connect_to(l, &c, &hosts, call))
        return;
    bool lasting = says_so(connect_flag(l, &c.id), &hosts);
    if (lasting)
        snprintf(note, sizeof(note), "it is among its -connect flags%s", how_found(l->config, &hosts));
    else
        snprintf(note, sizeof(note), "-connect %s%s makes it last%s", c.hex,
                 hosts.count ? "@HOST[:PORT]" : "", how_found(l->config, &hosts));
    report(&c, lasting, note, call);
}
