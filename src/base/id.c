/* SPDX-License-Identifier: Apache-2.0 */
/* Ids as text and their order. Any thread. */

#include "base/id.h"

#include "base/hex.h"
#include <string.h>

int id_parse(const char *text, struct node_id *out)
{
    return hex_decode(text, out->bytes, ID_LEN);
}

char *id_format(const struct node_id *id, char out[ID_TEXT_MAX])
{
    return hex_encode(id->bytes, ID_LEN, out);
}

int id_compare(const struct node_id *a, const struct node_id *b)
{
    return memcmp(a->bytes, b->bytes, ID_LEN);
}

void id_mac(const struct node_id *id, uint8_t mac[6])
{
    memcpy(mac, id->bytes, 6);
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}
