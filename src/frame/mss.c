/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/mss.h"

#include "frame/offload_frame.h"

#define IPV4_FRAGMENT  6 /* flags and offset … */
#define IPV4_FRAGMENTS 0x3fff
#define IPV4_PROTOCOL  9
#define IPV6_NEXT      6
#define TCP_OFFSET     12

enum tcp_option { OPTION_END = 0, OPTION_NOTHING = 1, OPTION_MSS = 2, OPTION_AO = 29 };
#define OPTION_MSS_LEN 4

/* Where the TCP header begins that has SYN and is whole, and where it ends; 0 when there is none. */
static size_t find_syn(const uint8_t *frame, size_t len, bool *v6, size_t *end)
{
    size_t l3 = offload_find_ip(frame, len, v6);
    if (!l3)
        return 0;
    const uint8_t *ip = frame + l3;
    if (ip[*v6 ? IPV6_NEXT : IPV4_PROTOCOL] != PROTOCOL_TCP)
        return 0;
    if (!*v6 && (get16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENTS))
        return 0;
    size_t l4 = l3 + (*v6 ? IPV6_LEN : (size_t)(ip[0] & 15) * 4);
    if (l4 < l3 + IPV4_LEN || l4 + TCP_LEN > len || !(frame[l4 + TCP_FLAGS] & TCP_SYN))
        return 0;
    *end = l4 + (size_t)(frame[l4 + TCP_OFFSET] >> 4) * 4;
    return *end <= len ? l4 : 0;
}

/* The value of the option that may be changed; NULL when there is none. */
static uint8_t *find_mss(uint8_t *at, const uint8_t *end)
{
    uint8_t *found = NULL;
    while (at < end && *at != OPTION_END) {
        if (*at == OPTION_NOTHING) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at || *at == OPTION_AO)
            return NULL;
        if (*at == OPTION_MSS && at[1] == OPTION_MSS_LEN)
            found = at + 2;
        at += at[1];
    }
    return found;
}

/* RFC 1624: the sum of a word that begins at an odd byte has its bytes exchanged. */
static void change_word(uint8_t *csum, uint8_t *word, uint16_t value, bool odd)
{
    uint16_t before = get16(word), after = value;
    put16(word, value);
    if (odd) {
        before = (uint16_t)(before << 8 | before >> 8);
        after = (uint16_t)(after << 8 | after >> 8);
    }
    put16(csum, (uint16_t)~sum_fold((uint64_t)(uint16_t)~get16(csum) + (uint16_t)~before + after));
}

bool mss_limit(uint8_t *frame, size_t len, size_t room, bool partial)
{
    bool v6;
    size_t end, l4 = find_syn(frame, len, &v6, &end), least = v6 ? MSS_LEAST_V6 : MSS_LEAST_V4;
    uint8_t *mss = l4 ? find_mss(frame + l4 + TCP_LEN, frame + end) : NULL;
    if (!mss)
        return false;
    size_t limit = room > l4 + TCP_LEN + least ? room - l4 - TCP_LEN : least;
    if (get16(mss) <= limit)
        return false;
    if (partial)
        put16(mss, (uint16_t)limit); /* the sum in the field is the pseudo-header's alone */
    else
        change_word(frame + l4 + TCP_CSUM, mss, (uint16_t)limit, (size_t)(mss - frame - l4) % 2);
    return true;
}
