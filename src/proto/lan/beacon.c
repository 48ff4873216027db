/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF-Extract is HMAC with the salt as its key (RFC 5869 §2.2). What is hashed for a hint is longer than what a mac covers:
 * neither is ever taken for the other. */

#include "proto/lan/beacon.h"

#include "base/bytes.h"
#include "crypto/secret.h"
#include <string.h>

#define MAC_LEN  16
#define MAC_AT   (BEACON_LEN - MAC_LEN)
#define HINT_LEN 8

static const uint8_t magic[4] = {'S', 'M', 'L', 'N'};
static const uint8_t label[] = "shadowmesh lan v1";

int beacon_key(const struct node_id *a, const struct node_id *b, uint8_t out[KDF_LEN])
{
    const bool ordered = id_compare(a, b) < 0;
    const struct node_id *low = ordered ? a : b, *high = ordered ? b : a;
    const struct slice parts[] = {{label, sizeof(label) - 1}, {low->bytes, ID_LEN}, {high->bytes, ID_LEN}};
    return kdf_hash(parts, sizeof(parts) / sizeof(*parts), out);
}

int beacon_hint(const uint8_t key[KDF_LEN], const struct node_id *sender, uint64_t epoch, uint64_t *out)
{
    uint8_t said[ID_LEN + sizeof(epoch)], whole[KDF_LEN];
    struct writer w = writer_init(said, sizeof(said));
    writer_put(&w, sender->bytes, ID_LEN);
    writer_u64(&w, epoch);
    int err = kdf_extract(key, KDF_LEN, said, sizeof(said), whole);
    if (err)
        return err;
    struct reader r = reader_init(whole, HINT_LEN);
    *out = reader_u64(&r);
    return 0;
}

int beacon_encode(const struct beacon *b, const uint8_t key[KDF_LEN], uint8_t out[BEACON_LEN])
{
    uint8_t mac[KDF_LEN];
    struct writer w = writer_init(out, BEACON_LEN);
    writer_put(&w, magic, sizeof(magic));
    writer_u8(&w, (uint8_t)b->kind);
    writer_u8(&w, 0);
    writer_u16(&w, b->control_port);
    writer_u64(&w, b->time_us);
    writer_u64(&w, b->hint);
    int err = kdf_extract(key, KDF_LEN, out, MAC_AT, mac);
    if (!err)
        writer_put(&w, mac, MAC_LEN);
    return err;
}

int beacon_decode(const uint8_t *data, size_t len, struct beacon *out)
{
    struct reader r = reader_init(data, len);
    *out = (struct beacon){0};
    if (len != BEACON_LEN || memcmp(reader_take(&r, sizeof(magic)), magic, sizeof(magic)) != 0)
        return ERR_FORMAT;
    uint8_t kind = reader_u8(&r), zero = reader_u8(&r);
    out->control_port = reader_u16(&r);
    out->time_us = reader_u64(&r);
    out->hint = reader_u64(&r);
    out->kind = (enum beacon_kind)kind;
    return (kind == BEACON_SEEK || kind == BEACON_HERE) && !zero && out->control_port ? 0 : ERR_FORMAT;
}

bool beacon_verify(const uint8_t data[BEACON_LEN], const uint8_t key[KDF_LEN])
{
    uint8_t mac[KDF_LEN];
    return kdf_extract(key, KDF_LEN, data, MAC_AT, mac) == 0 && secret_equal(mac, data + MAC_AT, MAC_LEN);
}
