/* SPDX-License-Identifier: Apache-2.0 */
/* From how many equal datagrams on one send with UDP_SEGMENT is cheaper than one send for each, as udp_send()
 * would do either: nanoseconds per datagram, medians, over the loopback interface to a socket that takes
 * merged ones, which is emptied outside of the measure.
 *
 *   gso [SIZE]                datagrams of SIZE bytes (150) */

#include "base/addr.h"
#include "net/udp.h"
#include "timing.h"
#include <stdio.h>
#include <stdlib.h>

#define REPEATS 4001

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "gso: %s\n", what);
    exit(1);
}

struct bench {
    struct udp_socket from, to;
    struct udp_remote remote;
    struct udp_batch *batch;
    struct udp_message messages[UDP_BATCH];
    uint8_t data[65507];
};

static void empty(struct bench *b)
{
    uint64_t overflow = 0;
    while (udp_receive(&b->to, b->batch, b->messages, &overflow) > 0)
        ;
}

static double send_ns(struct bench *b, size_t size, unsigned count, bool gso)
{
    double begin = timing_now_ns();
    if (gso)
        check(udp_send(&b->from, &b->remote, b->data, count * size, size, 0) == 0, "a send failed");
    else
        for (unsigned i = 0; i < count; i++)
            check(udp_send(&b->from, &b->remote, b->data + i * size, size, size, 0) == 0, "a send failed");
    return (timing_now_ns() - begin) / count;
}

static double median(struct bench *b, size_t size, unsigned count, bool gso)
{
    static double took[REPEATS];
    for (unsigned i = 0; i < REPEATS; i++) {
        took[i] = send_ns(b, size, count, gso);
        empty(b);
    }
    return timing_of(took, REPEATS).median;
}

int main(int argc, char **argv)
{
    static const unsigned counts[] = {1, 2, 3, 4, 8, 16, 44};
    static struct bench b;
    int size = argc > 1 ? atoi(argv[1]) : 150;
    struct addr to;
    check(size > 0 && size <= 1472, "usage: gso [SIZE], 1 to 1472 bytes");
    check(udp_open(0, 1, &b.from) == 0 && udp_open(0, 1, &b.to) == 0 && udp_batch_new(&b.batch) == 0,
          "no sockets");
    check(addr_parse("127.0.0.1", b.to.port, &to) == 0 && atomic_load(&b.from.gso),
          "this kernel has no UDP_SEGMENT");
    udp_remote_init(&b.from, &(struct addr){0}, &to, &b.remote);
    printf("datagrams of %d bytes: how many, ns each when sent alone, ns each in one send\n", size);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        printf("%2u %7.0f %7.0f\n", counts[i], median(&b, (size_t)size, counts[i], false),
               median(&b, (size_t)size, counts[i], true));
    udp_batch_free(b.batch);
    udp_close(&b.from, 1);
    udp_close(&b.to, 1);
    return 0;
}
