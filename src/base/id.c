/* SPDX-License-Identifier: Apache-2.0 */
/* Ids as text and their order. Any thread. */

#include "base/id.h"

#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int id_parse(const char *text, struct node_id *out)
{
    struct node_id id;

    if (strnlen(text, ID_HEX_LEN + 1) != ID_HEX_LEN)
        return ERR_ARGUMENT;
    for (int i = 0; i < ID_LEN; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return ERR_ARGUMENT;
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = id;
    return 0;
}

char *id_format(const struct node_id *id, char out[ID_TEXT_MAX])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < ID_LEN; i++) {
        out[2 * i] = digits[id->bytes[i] >> 4];
        out[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    out[ID_HEX_LEN] = '\0';
    return out;
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
