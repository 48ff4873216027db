/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of many.h share: what is on its way, and when it arrives. */

#include "many.h"

struct link_work;

enum many_event_kind {
    MANY_DATAGRAM,
    MANY_ACCEPT,
    MANY_CONNECTED,
    MANY_BYTES,
    MANY_CLOSED,
    MANY_WORKED,
    MANY_REGISTERED, /* the directory's answer; on: it had time for it */
    MANY_FOUND,      /* likewise, about the id in data */
};

struct many_pipe;

struct many_event {
    struct heap_node due;
    enum many_event_kind kind;
    unsigned to, from, life; /* nodes; the receiver's life: in another one it goes nowhere */
    struct many_pipe *pipe;  /* streams … */
    unsigned end;            /* … and which end receives */
    bool on;
    struct link_work *work; /* WORKED: the event's */
    size_t len;
    uint8_t data[];
};

/* A stream: 0 dialled. */
struct many_end {
    struct many_pipe *pipe;
    struct many_node *node;
    unsigned life;
    uint64_t conn, ready_us; /* nothing overtakes */
};
struct many_pipe {
    struct many_end ends[2];
    unsigned held; /* by ends that are open, and events */
};

/* many.c */
void many_count(struct many *m, struct many_rate *rate);
/* An event for node `to` as it lives now. */
struct many_event *many_event_new(struct many *m, enum many_event_kind kind, unsigned to, const void *data,
                                  size_t len);
void many_push(struct many *m, struct many_event *e, uint64_t at_us);
uint64_t many_travel(struct many *m);
/* Does what the node's mesh wants, and sets its deadline. */
void many_settle(struct many_node *n);
/* n is told where that one is. */
void many_set_where(struct many_node *n, unsigned other);

/* many_network.c */
struct addr many_address(const struct many *m, unsigned number);
void many_send(struct many_node *n, const struct addr *to, const uint8_t *data, size_t len);
void many_dial(struct many_node *n, uint64_t conn, const struct addr *to);
void many_stream_send(struct many_node *n, uint64_t conn, const uint8_t *data, size_t len);
void many_stream_close(struct many_node *n, uint64_t conn);
void many_cut(struct many_node *n); /* all its streams, as its kernel does for it */
void many_deliver(struct many *m, struct many_event *e);
void many_release(struct many_pipe *p);

/* many_directory.c */
void many_directory_start(struct many_node *n);
void many_directory_stop(struct many_node *n);
void many_directory_tick(struct many_node *n); /* asks what is due */
uint64_t many_directory_next(const struct many_node *n);
void many_directory_answered(struct many_node *n, const struct many_event *e);
