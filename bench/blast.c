/* SPDX-License-Identifier: Apache-2.0 */
/* How many UDP datagrams of a size pass between two network namespaces with little loss: one program that
 * sends in one, receives in the other, and searches for the highest rate. Used by bench.py, whose rows need
 * more datagrams a second than iperf3 makes with one system call for each. It sends with sendmmsg but without
 * UDP_SEGMENT, as ordinary programs with small datagrams do: what a tunnel gains by collecting them is its
 * own doing.
 *
 *   blast FROM TO ADDRESS PORT SIZE STEP-SECONDS LOSS-PERCENT
 *
 * FROM and TO are names of `ip netns`. Prints one line of JSON: the best step and all that were tried. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH      64
#define SIZE_MAX_B 9000
#define GAP_NS     50000 /* between bursts */
/* What a burst may hold. A sender that was off the CPU does not make up for it: queues would only measure
 * that. */
#define BURST_MAX   256
#define RATE_FIRST  20000.0 /* datagrams a second */
#define RATE_LAST   4e6
#define RATE_FACTOR 1.6
#define BISECTIONS  5
#define QUIET_NS    150000000ull  /* a step is over when nothing came for so long … */
#define DRAIN_NS    2000000000ull /* … or this is over */
#define BUFFER      (4 << 20)

struct stamp {
    uint32_t step;
};

struct blast {
    int tx, rx;
    struct sockaddr_in to;
    size_t size;
    double seconds, loss;
    _Atomic uint32_t step;
    _Atomic uint64_t received, last_ns;
    _Atomic bool done;
    double best;
    bool first_printed;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_ns(long ns)
{
    const struct timespec t = {.tv_nsec = ns};
    (void)nanosleep(&t, NULL);
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int socket_in(const char *netns)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "/run/netns/%s", netns);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET))
        die(path);
    close(ns);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = BUFFER;
    if (fd < 0)
        die("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
        die("socket buffers");
    return fd;
}

/* ---- receiver ---- */

static void *receive(void *arg)
{
    static uint8_t data[BATCH][SIZE_MAX_B];
    struct blast *b = arg;
    struct mmsghdr messages[BATCH] = {0};
    struct iovec iov[BATCH];
    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){data[i], sizeof(data[i])};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    while (!b->done) {
        int count = recvmmsg(b->rx, messages, BATCH, MSG_WAITFORONE, NULL);
        uint64_t current = 0;
        for (int i = 0; i < count; i++) {
            struct stamp stamp;
            memcpy(&stamp, data[i], sizeof(stamp));
            current += messages[i].msg_len == b->size && stamp.step == b->step;
        }
        b->received += current;
        if (current)
            b->last_ns = now_ns();
    }
    return NULL;
}

/* ---- sender ---- */

static uint64_t send_burst(struct blast *b, struct mmsghdr *messages, unsigned count)
{
    uint64_t sent = 0;
    while (sent < count) {
        unsigned left = count - (unsigned)sent;
        int n = sendmmsg(b->tx, messages, left < BATCH ? left : BATCH, 0);
        if (n < 0 && errno != EINTR && errno != ENOBUFS)
            die("sendmmsg");
        if (n <= 0)
            break;
        sent += (unsigned)n;
    }
    return sent;
}

/* Sends at the rate for the step's time; returns how many. */
static uint64_t send_step(struct blast *b, double rate)
{
    static uint8_t data[SIZE_MAX_B];
    const struct stamp stamp = {.step = b->step};
    struct iovec iov = {data, b->size};
    struct mmsghdr messages[BATCH] = {0};
    memcpy(data, &stamp, sizeof(stamp));
    for (int i = 0; i < BATCH; i++)
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &b->to, .msg_namelen = sizeof(b->to), .msg_iov = &iov, .msg_iovlen = 1};
    uint64_t begin = now_ns(), now = begin, last = begin, sent = 0;
    double credit = 0;
    while ((double)(now - begin) < b->seconds * 1e9) {
        credit += (double)(now - last) * rate / 1e9;
        last = now;
        if (credit > BURST_MAX)
            credit = BURST_MAX;
        unsigned due = (unsigned)credit;
        if (due) {
            sent += send_burst(b, messages, due);
            credit -= due;
        }
        if (due < BURST_MAX)
            sleep_ns(GAP_NS);
        now = now_ns();
    }
    return sent;
}

struct step {
    double offered, received; /* datagrams a second */
    bool good;                /* loss within the limit */
};

static struct step try_rate(struct blast *b, double rate)
{
    b->step++;
    b->received = 0;
    b->last_ns = 0;
    uint64_t sent = send_step(b, rate), end = now_ns();
    while (now_ns() - end < DRAIN_NS && b->received < sent &&
           now_ns() - (b->last_ns > end ? b->last_ns : end) < QUIET_NS)
        sleep_ns(1000000);
    double received = (double)b->received;
    struct step s = {(double)sent / b->seconds, received / b->seconds,
                     sent && received >= (double)sent * (1 - b->loss)};
    printf("%s{\"offered\": %.0f, \"received\": %.0f, \"within\": %s}", b->first_printed ? ", " : "",
           s.offered, s.received, s.good ? "true" : "false");
    b->first_printed = true;
    if (s.good && s.received > b->best)
        b->best = s.received;
    return s;
}

/* Up in steps until a rate fails twice or the sender cannot make more, then halves the ratio between the last
 * two. */
static void search(struct blast *b)
{
    double good = RATE_FIRST / 4, bad = 0, most = 0;
    for (double rate = RATE_FIRST, stuck = 0; !bad && stuck < 2 && rate < RATE_LAST; rate *= RATE_FACTOR) {
        struct step s = try_rate(b, rate);
        if (!s.good)
            s = try_rate(b, rate);
        stuck = s.offered < 1.05 * most ? stuck + 1 : 0;
        most = s.offered > most ? s.offered : most;
        if (s.good)
            good = rate;
        else
            bad = rate;
    }
    for (int i = 0; bad && i < BISECTIONS; i++) {
        double rate = sqrt(good * bad);
        if (try_rate(b, rate).good)
            good = rate;
        else
            bad = rate;
    }
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: blast FROM-NETNS TO-NETNS ADDRESS PORT SIZE STEP-SECONDS LOSS-PERCENT\n");
        return 2;
    }
    static struct blast b;
    b.size = (size_t)atoi(argv[5]);
    b.seconds = atof(argv[6]);
    b.loss = atof(argv[7]) / 100;
    b.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[4]))};
    if (inet_pton(AF_INET, argv[3], &b.to.sin_addr) != 1 || b.size < sizeof(struct stamp) ||
        b.size > SIZE_MAX_B)
        return 2;
    (void)prctl(PR_SET_TIMERSLACK, 1);
    b.rx = socket_in(argv[2]);
    const struct timeval wake = {.tv_usec = 100000};
    if (bind(b.rx, (struct sockaddr *)&b.to, sizeof(b.to)) ||
        setsockopt(b.rx, SOL_SOCKET, SO_RCVTIMEO, &wake, sizeof(wake)))
        die("bind");
    b.tx = socket_in(argv[1]);
    pthread_t receiver;
    if (pthread_create(&receiver, NULL, receive, &b))
        die("thread");
    printf("{\"steps\": [");
    search(&b);
    printf("], \"best\": %.0f}\n", b.best);
    b.done = true;
    pthread_join(receiver, NULL);
    return 0;
}
