/* SPDX-License-Identifier: Apache-2.0 */
/* One sentence for each router. */
#include "cli/mapping_text.h"

#include "cli/format.h"
#include "cli/nodes.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>

/* "198.51.100.7:9443 and for TCP 198.51.100.7:8443, by PCP of 192.168.1.1 for 1200 s". */
static char *describe(const json_t *mapping)
{
    const char *gateway = nodes_text(mapping, "gateway"), *external = nodes_text(mapping, "external"),
               *control = nodes_text(mapping, "control"), *error = nodes_text(mapping, "error");
    bool announced = json_is_true(json_object_get(mapping, "announced"));
    char *out = NULL;
    int len =
        external[0]
            ? asprintf(&out, "%s%s%s, by %s of %s for %.0f s%s", external, control[0] ? " and for TCP " : "",
                       control, nodes_text(mapping, "protocol"), gateway, nodes_number(mapping, "lifetime_s"),
                       announced ? "" : ": no public address, another NAT is beyond")
            : asprintf(&out, "none: the router %s %s", gateway, error[0] ? error : "is being asked");
    if (len < 0)
        abort();
    return out;
}

void mapping_text_add(struct table *t, const json_t *mappings)
{
    size_t index;
    json_t *mapping;
    json_array_foreach(mappings, index, mapping)
    {
        char *text = describe(mapping), *clean = format_clean(text);
        table_add(t, (const char *const[]){"mapping", clean});
        free(text);
        free(clean);
    }
}
