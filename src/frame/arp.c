/* SPDX-License-Identifier: Apache-2.0 */
/* One reader and one writer of ARP, field by field. Any thread. */

#include "frame/arp.h"

#include "base/bytes.h"
#include <string.h>

#define ETH_TYPE_ARP  0x0806
#define ETH_TYPE_IPV4 0x0800
#define HARDWARE      1 /* Ethernet */
#define MAC_LEN       6
#define IPV4_LEN      4

static struct addr read_addr(struct reader *r)
{
    struct addr a = {.family = 4};
    reader_copy(r, a.ip, IPV4_LEN);
    return a;
}

static bool read_types(struct reader *r)
{
    return reader_u16(r) == ETH_TYPE_ARP && reader_u16(r) == HARDWARE && reader_u16(r) == ETH_TYPE_IPV4 &&
           reader_u8(r) == MAC_LEN && reader_u8(r) == IPV4_LEN;
}

bool arp_decode(const uint8_t *frame, size_t len, struct arp *out)
{
    struct reader r = reader_init(frame, len);
    uint8_t source[MAC_LEN];
    (void)reader_take(&r, MAC_LEN);
    reader_copy(&r, source, sizeof(source));
    if (!read_types(&r))
        return false;
    out->operation = reader_u16(&r);
    reader_copy(&r, out->sender_mac, MAC_LEN);
    out->sender = read_addr(&r);
    reader_copy(&r, out->target_mac, MAC_LEN);
    out->target = read_addr(&r);
    return !r.bad && (out->operation == ARP_REQUEST || out->operation == ARP_REPLY) &&
           memcmp(source, out->sender_mac, MAC_LEN) == 0;
}

void arp_encode(const struct arp *a, const uint8_t dst[6], uint8_t out[ARP_FRAME_LEN])
{
    memcpy(out, dst, MAC_LEN);
    struct writer w = writer_init(out + MAC_LEN, ARP_FRAME_LEN - MAC_LEN);
    writer_put(&w, a->sender_mac, MAC_LEN);
    writer_u16(&w, ETH_TYPE_ARP);
    writer_u16(&w, HARDWARE);
    writer_u16(&w, ETH_TYPE_IPV4);
    writer_u8(&w, MAC_LEN);
    writer_u8(&w, IPV4_LEN);
    writer_u16(&w, (uint16_t)a->operation);
    writer_put(&w, a->sender_mac, MAC_LEN);
    writer_put(&w, a->sender.ip, IPV4_LEN);
    writer_put(&w, a->target_mac, MAC_LEN);
    writer_put(&w, a->target.ip, IPV4_LEN);
}
