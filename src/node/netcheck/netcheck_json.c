/* SPDX-License-Identifier: Apache-2.0 */
/* One object per noun. The JSON is a promise to scripts: it only grows. */

#include "node/netcheck/netcheck_impl.h"

#include "node/config/config.h"
#include "node/config/proxy.h"
#include "node/netcheck/nat_json.h"
#include "proto/nat/nat.h"

/* An answer of the host over a family; NULL: none. */
static const struct nat_question *answer_of(const struct netcheck_host *h, unsigned family)
{
    for (unsigned i = 0; i < h->count; i++) {
        const struct nat_question *q = h->stun[i].family == family
                                           ? nat_check_answer(&h->owner->udp.checks[family == 6], &h->stun[i])
                                           : NULL;
        if (q)
            return q;
    }
    return NULL;
}

static json_t *udp_of(const struct netcheck_host *h, unsigned family)
{
    const struct nat_question *q = answer_of(h, family);
    if (!q)
        return json_null();
    return json_pack("{s:o, s:I, s:o}", "server", nat_json_addr(&q->to), "rtt_us", (json_int_t)q->rtt_us,
                     "address", nat_json_addr(&q->mapped));
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static json_t *describe_backbone(const struct netcheck_host *h)
{
    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o}", "url", h->url, "reachable", h->rtt_us != 0, "rtt_us",
                     h->rtt_us ? json_integer((json_int_t)h->rtt_us) : json_null(), "error",
                     text_or_null(h->error), "ipv4", udp_of(h, 4), "ipv6", udp_of(h, 6));
}

static json_t *describe_stun(const struct netcheck_host *h)
{
    return json_pack("{s:s, s:i, s:o, s:o, s:o}", "host", h->http.host, "port", (int)h->http.port, "error",
                     text_or_null(h->error), "ipv4", udp_of(h, 4), "ipv6", udp_of(h, 6));
}

static json_t *describe_hosts(const struct netcheck *n, bool backbones)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < n->host_count; i++) {
        const struct netcheck_host *h = &n->hosts[i];
        if ((h->url != NULL) == backbones)
            json_array_append_new(list, backbones ? describe_backbone(h) : describe_stun(h));
    }
    return list;
}

static json_t *describe_family(const struct netcheck *n, unsigned family)
{
    const struct nat_check *check = &n->udp.checks[family == 6];
    struct nat nat;
    size_t size = nat_check_size(check);
    netcheck_udp_judge(&n->udp, family, &nat);
    return json_pack("{s:b, s:b, s:b, s:o, s:o}", "address", netcheck_udp_has_address(&n->udp, family),
                     "asked", check->count > 0, "udp", nat_check_answer(check, NULL) != NULL, "path_size",
                     size ? json_integer((json_int_t)size) : json_null(), "nat", nat_json(&nat));
}

static json_t *first_proxy(const struct netcheck *n)
{
    for (unsigned i = 0; i < n->config.config->backbone_count; i++)
        if (n->config.proxies[i].shown[0])
            return json_string(n->config.proxies[i].shown);
    return json_null();
}

json_t *netcheck_json(const struct netcheck *n, uint64_t now_us)
{
    bool udp = nat_check_answer(&n->udp.checks[0], NULL) || nat_check_answer(&n->udp.checks[1], NULL);
    return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:n, s:I}", "udp", udp, "ipv4", describe_family(n, 4),
                     "ipv6", describe_family(n, 6), "backbones", describe_hosts(n, true), "stun",
                     describe_hosts(n, false), "proxy", first_proxy(n), "port_mapping", "took_us",
                     (json_int_t)(now_us - n->begun_us));
}
