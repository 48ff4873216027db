/* SPDX-License-Identifier: Apache-2.0 */
/* One search for two seconds, then the description and the control URL of the gateway itself. */
#include "node/helper/upnp_gateway.h"

#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SEARCH      "urn:schemas-upnp-org:device:InternetGatewayDevice:1" /* later versions answer, too */
#define SEARCH_MS   2000
#define SEARCH_TTL  2
#define SCHEME      "http://"
#define SERVICES    "urn:schemas-upnp-org:service:WAN"
#define DESCRIPTION "ShadowMesh"
#define NUMBER_MAX  12
#define IP_MAX      40 /* as the library writes it */
#define TRIED_MAX   3u /* descriptions: anybody can answer the search with URLs at the router */
#define PORT_TRIES  4u
#define PORT_LEAST  20000u
#define PORT_RANGE  40000u

/* UPnP-gw-WANIPConnection §2.4.16.4 */
enum upnp_error { CONFLICT_IN_MAPPING = 718, SAME_PORTS_REQUIRED = 724, ONLY_PERMANENT_LEASES = 725 };

struct control {
    char url[UPNP_WHERE_MAX], service[UPNP_WHERE_MAX];
};

static bool is_of_gateway(const char *url, const struct addr *gateway)
{
    char host[ADDR_TEXT_MAX];
    addr_format(gateway, host);
    size_t scheme = strlen(SCHEME), len = strlen(host);
    if (strncmp(url, SCHEME, scheme) != 0 || strncmp(url + scheme, host, len) != 0)
        return false;
    char next = url[scheme + len];
    return next == ':' || next == '/' || next == '\0';
}

/* ---- where it is ---- */

static bool take_description(const char *url, const struct addr *gateway, struct control *out)
{
    struct UPNPUrls urls = {0};
    struct IGDdatas data = {0};
    char lan[IP_MAX];
    if (UPNP_GetIGDFromUrl(url, &urls, &data, lan, sizeof(lan)) != 1)
        return false;
    bool ok = urls.controlURL && is_of_gateway(urls.controlURL, gateway) &&
              strlen(urls.controlURL) + strlen(data.first.servicetype) + 2 <= UPNP_WHERE_MAX &&
              !strchr(urls.controlURL, ' ') &&
              strncmp(data.first.servicetype, SERVICES, strlen(SERVICES)) == 0;
    if (ok) {
        snprintf(out->url, sizeof(out->url), "%s", urls.controlURL);
        snprintf(out->service, sizeof(out->service), "%s", data.first.servicetype);
    }
    FreeUPNPUrls(&urls);
    return ok;
}

static const char *discover(const struct upnp_request *q, struct control *out)
{
    char client[ADDR_TEXT_MAX];
    int error = 0;
    bool found = false;
    unsigned tried = 0;
    struct UPNPDev *all = upnpDiscoverDevice(SEARCH, SEARCH_MS, addr_format(&q->client, client), "",
                                             UPNP_LOCAL_PORT_ANY, 0, SEARCH_TTL, &error);
    for (const struct UPNPDev *d = all; d && !found && tried < TRIED_MAX; d = d->pNext) {
        bool is_its = is_of_gateway(d->descURL, &q->gateway);
        tried += is_its;
        found = is_its && take_description(d->descURL, &q->gateway, out);
    }
    freeUPNPDevlist(all);
    return found ? NULL : tried ? "describes no UPnP gateway that can be used" : "offers no UPnP";
}

static bool recall(const struct upnp_request *q, struct control *out)
{
    const char *space = strchr(q->where, ' ');
    if (!space)
        return false;
    snprintf(out->url, sizeof(out->url), "%.*s", (int)(space - q->where), q->where);
    snprintf(out->service, sizeof(out->service), "%s", space + 1);
    return true;
}

/* ---- mappings ---- */

static const char *protocol_of(unsigned port)
{
    return port == MAPPER_TCP ? "TCP" : "UDP";
}

static uint16_t another_port(void)
{
    uint16_t random = 0;
    (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK); /* another one at the next round will do */
    return (uint16_t)(PORT_LEAST + random % PORT_RANGE);
}

static int add(const struct upnp_request *q, const struct control *c, unsigned port, uint16_t external,
               uint32_t lease_s)
{
    char client[ADDR_TEXT_MAX], outer[NUMBER_MAX], inner[NUMBER_MAX], lease[NUMBER_MAX];
    snprintf(outer, sizeof(outer), "%u", external);
    snprintf(inner, sizeof(inner), "%u", q->ports[port]);
    snprintf(lease, sizeof(lease), "%u", lease_s);
    int error = UPNP_AddPortMapping(c->url, c->service, outer, inner, addr_format(&q->client, client),
                                    DESCRIPTION, protocol_of(port), NULL, lease);
    return error == ONLY_PERMANENT_LEASES && lease_s ? add(q, c, port, external, 0) : error;
}

/* Returns the outer port, or 0 and the library's error. */
static uint16_t map(const struct upnp_request *q, const struct control *c, unsigned port, int *error)
{
    uint16_t external = q->wished[port];
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        *error = add(q, c, port, external, MAPPER_LIFETIME_S);
        if (*error == UPNPCOMMAND_SUCCESS)
            return external;
        if (*error != CONFLICT_IN_MAPPING && *error != SAME_PORTS_REQUIRED)
            return 0;
        external = *error == SAME_PORTS_REQUIRED ? q->ports[port] : another_port();
    }
    return 0;
}

static bool find_outer_address(const struct control *c, struct addr *out)
{
    char ip[IP_MAX] = "";
    return UPNP_GetExternalIPAddress(c->url, c->service, ip) == UPNPCOMMAND_SUCCESS &&
           addr_parse(ip, 0, out) == 0 && out->family == 4 && !addr_is_unspecified(out);
}

static void remember(const struct control *c, struct helper_message *answer)
{
    static char where[UPNP_WHERE_MAX];
    int len = snprintf(where, sizeof(where), "%s %s", c->url, c->service);
    answer->data = (struct slice){(const uint8_t *)where, (size_t)len};
}

static void map_all(const struct upnp_request *q, const struct control *c, struct helper_message *answer)
{
    struct addr outer;
    int error = UPNPCOMMAND_SUCCESS;
    if (!find_outer_address(c, &outer)) {
        helper_message_set_text(answer, "has no connection outside (UPnP)");
        return;
    }
    for (unsigned i = 0; i < MAPPER_PORTS; i++) {
        outer.port = map(q, c, i, &error);
        if (outer.port)
            answer->addresses[answer->address_count++] = outer;
        else if (i == MAPPER_UDP)
            break;
    }
    if (answer->address_count > 1)
        remember(c, answer);
    else
        snprintf(answer->text, sizeof(answer->text), "refuses (UPnP: error %d)", error);
    answer->number = MAPPER_LIFETIME_S;
}

static void unmap_all(const struct upnp_request *q, const struct control *c)
{
    char outer[NUMBER_MAX];
    for (unsigned i = 0; i < MAPPER_PORTS; i++) {
        if (!q->wished[i])
            continue;
        snprintf(outer, sizeof(outer), "%u", q->wished[i]);
        (void)!UPNP_DeletePortMapping(c->url, c->service, outer, protocol_of(i),
                                      NULL); /* its life is short */
    }
}

void upnp_gateway_ask(const struct upnp_request *request, struct helper_message *answer)
{
    struct control control;
    *answer =
        (struct helper_message){.kind = HELPER_PORTMAP, .address_count = 1, .addresses = {request->gateway}};
    bool known = recall(request, &control);
    if (request->release) {
        if (known)
            unmap_all(request, &control);
        return;
    }
    const char *why = known ? NULL : discover(request, &control);
    if (why)
        helper_message_set_text(answer, why);
    else
        map_all(request, &control, answer);
}

void upnp_gateway_undo(const struct upnp_request *request, const struct helper_message *answer)
{
    struct upnp_request end = *request;
    struct control control;
    snprintf(end.where, sizeof(end.where), "%.*s", (int)answer->data.len, (const char *)answer->data.data);
    for (unsigned i = 0; i < MAPPER_PORTS; i++)
        end.wished[i] = i + 1 < answer->address_count ? answer->addresses[i + 1].port : 0;
    if (recall(&end, &control))
        unmap_all(&end, &control);
}
