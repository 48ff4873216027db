/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the service manager that started this process is told: sd_notify(3) and its watchdog. Without one nothing here does
 * anything. The main thread's alone. */

#include <stdbool.h>
#include <stdint.h>

/* Connects to NOTIFY_SOCKET of the environment, and takes its words out of there: no child speaks for us. Before the
 * cage. False: there is a socket, and it cannot be reached (errno). */
bool notify_open(void);

/* This process serves from now on. */
void notify_ready(void);

/* It takes its configuration anew from now on; notify_ready says that this is over, however it ended. */
void notify_reloading(void);

/* What `systemctl status` shows in one line; the same as before is not sent again. */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* This process is alive: to be called once a second or so. Tells the watchdog as often as it wants, where there is one
 * (WATCHDOG_USEC). */
void notify_alive(uint64_t now_us);

/* It ends. */
void notify_stopping(void);
