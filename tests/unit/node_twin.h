/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whole nodes without root: all of a node runs, as a process of its own, but its device is a twin in memory
 * (device_twin.c stands in for node/device), and its underlay is loopback.
 *
 *   test ──socketpair──▶ device twin │ node A ──UDP, TCP on 127.0.0.1──▶ node B │ device twin ──socketpair──▶ test
 *     └──── API socket, log, signals ──┘
 */

#include "device_twin.h"

#include "base/id.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TWIN_LOG_MAX   65536
#define TWIN_FRAME_MAX 2048

struct twin {
    pid_t pid; /* 0: does not run */
    char id[ID_TEXT_MAX], dir[64];
    uint16_t port, control_port;
    struct device_twin *device;
    int tap; /* the test's end; -1: the device is removed */
    int log;
    char lines[TWIN_LOG_MAX]; /* of its log, since the start */
    size_t lines_len;
    const char *name;
};

/* A node that does not run yet: a folder with its key, free ports, a device with 10.9.0.HOST/24. */
void twin_init(struct twin *t, const char *name, uint8_t host);
void twin_fini(struct twin *t); /* ends it by SIGTERM if it runs: only who ends counts the lines it reached */

/* Runs it with these flags beside those that every twin has; more ends with NULL. `prepare` is called in its process
 * first, if given. */
void twin_start(struct twin *t, const char *const *more, void (*prepare)(void *context), void *context);

/* Waits until its log has text, anywhere since its start. */
void twin_wait_log(struct twin *t, const char *text);
bool twin_log_has(struct twin *t, const char *text); /* anywhere, so far */

/* Waits until it answers, or has ended: whether it runs. */
bool twin_runs(const struct twin *t);

/* Waits for its end, after the signal if that is not 0: its exit code, or 128 and the signal that killed it. */
int twin_end(struct twin *t, int number);

/* The answer of its API, to be decref'd. Takes request. try: NULL when it hung up. */
json_t *twin_ask(const struct twin *t, json_t *request);
json_t *twin_try(const struct twin *t, json_t *request);
json_t *twin_status(const struct twin *t); /* the result alone */

/* The device takes a frame, or gives one: its length, 0 after a deadline. */
void twin_send_frame(const struct twin *t, const uint8_t *frame, size_t len);
size_t twin_receive_frame(const struct twin *t, uint8_t *frame);

void twin_remove_device(struct twin *t);
void twin_network_changed(struct twin *t);

/* "ID@127.0.0.1:PORT" of it, for -connect. */
const char *twin_at(const struct twin *t, char *out, size_t size);
