/* SPDX-License-Identifier: Apache-2.0 */
/* session_open: hostile datagrams, raw and made from genuine ones (the first byte says which: flip, cut,
 * repeat). None but the genuine may open, each once, with its own text. */

#include "proto/session/session.h"
#include <stdlib.h>

#define TEXT_LEN 64
#define LEN      (WIRE_HEADER_LEN + TEXT_LEN + WIRE_TAG_LEN)

static const uint8_t text[TEXT_LEN] = {'t', 'e', 'x', 't'};
static const uint8_t root[KDF_LEN] = {1};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static struct session *make(bool initiator)
{
    const struct session_config config = {.suite = AEAD_AES_256_GCM,
                                          .tx_lanes = 2,
                                          .rx_lanes = 2,
                                          .rx_index = 1,
                                          .tx_index = 1,
                                          .initiator = initiator};
    struct session *s;

    check(session_new(&config, root, &s) == 0);
    return s;
}

static enum drop open_copy(struct session *to, const uint8_t *datagram, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1), *plain; /* of its exact size, so that ASan sees a byte too many */
    struct wire_header h;
    size_t plain_len;

    check(copy != NULL);
    memcpy(copy, datagram, len);
    enum drop drop = wire_header_decode(copy, len, &h);
    if (!drop)
        drop = session_open(to, &h, copy, len, &plain, &plain_len);
    if (!drop)
        check(plain_len == TEXT_LEN && memcmp(plain, text, TEXT_LEN) == 0);
    free(copy);
    return drop;
}

/* Two script bytes: what is done to a genuine datagram, and where. */
static void step(struct session *from, struct session *to, uint8_t what, uint8_t where)
{
    const struct slice piece = {text, TEXT_LEN};
    uint8_t datagram[LEN];

    check(session_seal(from, WIRE_DATA, what & 1, &piece, 1, datagram) == LEN);
    if (what & 2) {
        datagram[where % LEN] ^= (uint8_t)(what | 0x80);
        check(open_copy(to, datagram, LEN) != DROP_NONE);
        datagram[where % LEN] ^= (uint8_t)(what | 0x80);
    }
    if (what & 4)
        check(open_copy(to, datagram, where % LEN) != DROP_NONE);
    check(open_copy(to, datagram, LEN) == DROP_NONE);
    check(open_copy(to, datagram, LEN) == DROP_REPLAY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct session *from, *to;
    static unsigned runs;

    if (runs++ % 10000 == 0) { /* the keys' lifetime is bounded, a fuzzer's is not */
        session_free(from);
        session_free(to);
        from = make(true);
        to = make(false);
    }
    check(open_copy(to, data, size) != DROP_NONE);
    for (size_t i = 0; i + 1 < size && i < 32; i += 2)
        step(from, to, data[i], data[i + 1]);
    return 0;
}
