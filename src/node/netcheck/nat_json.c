/* SPDX-License-Identifier: Apache-2.0 */
/* Values become JSON. */

#include "node/netcheck/nat_json.h"

#include "proto/nat/nat.h"

json_t *nat_json_addr(const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    return a->family ? json_string(addr_format(a, text)) : json_null();
}

static json_t *answer(enum nat_answer a)
{
    return a == NAT_ANSWER_UNKNOWN ? json_null() : json_boolean(a == NAT_ANSWER_YES);
}

json_t *nat_json(const struct nat *n)
{
    json_t *observed = json_array();
    for (unsigned i = 0; i < n->observed_count; i++)
        json_array_append_new(observed,
                              json_pack("{s:o, s:o}", "server", nat_json_addr(&n->observed[i].server),
                                        "address", nat_json_addr(&n->observed[i].mapped)));
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "mapping", nat_mapping_name(n->mapping), "ports",
                     nat_ports_name(n->ports), "filtering", nat_filtering_name(n->filtering), "hairpin",
                     answer(n->hairpin), "observed", observed);
}
