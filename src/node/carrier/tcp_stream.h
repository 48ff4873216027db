/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One stream over TCP, and what all of them share. Internal to node/carrier/tcp_stream*. Control thread. */

#include "node/carrier/stream.h"
#include <stdbool.h>
#include <uv.h>

#define READ_BUFFER_SIZE 16384

struct tcp_stream {
    struct stream base; /* first: streams are cast back */
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct tcp_streams *owner;
    struct tcp_stream *previous, *next;
    bool connecting;
    bool closing;     /* the mesh has closed it: no more events, what comes is discarded */
    bool open;        /* the handle exists and is not being closed */
    char failure[64]; /* set: to be reported from the loop */
    uv_timer_t report;
    int handles; /* still to be closed before the memory goes */
};

struct tcp_streams {
    uv_tcp_t listener;
    uv_timer_t next_round; /* of accepting, when one is held back */
    bool held;
    uint64_t round_ms; /* when the present one began */
    unsigned round_left;
    uv_loop_t *loop;
    struct streams *all;
    struct tcp_stream *first;
    bool closing;
    int handles; /* of the listener, still to be closed */
    uint8_t buffer[READ_BUFFER_SIZE];
};

/* family 0: the socket comes from accepting. NULL: out of memory. */
struct tcp_stream *tcp_stream_make(struct tcp_streams *s, unsigned family);

/* It is connected: what comes is told from now on. */
void tcp_stream_read(struct tcp_stream *st);

/* It ends, which the loop will tell, so that no caller is called back. */
void tcp_stream_fail(struct tcp_stream *st, const char *reason);

/* Nothing is owed to the other end: no queue, no state of the kernel's is kept for it. */
void tcp_stream_reset(struct tcp_stream *st);

/* Once what was sent is out, for which it has a second. */
void tcp_stream_close(struct stream *base);

/* Packets that every path carries. */
void tcp_stream_limit_segments(uv_tcp_t *tcp);

/* libuv's error, for a person. */
const char *tcp_stream_reason(int uv_error);

/* Frees s once nothing of it is left. */
void tcp_streams_release(struct tcp_streams *s);
