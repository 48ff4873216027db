/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Asks the nodes that run on this machine, over their API sockets. docs/PROTOCOL.md §11. */

#include "base/err.h"
#include "base/id.h"
#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#define API_ERROR_MAX 512

/* The ids of the sockets in run_dir, in order; their processes may be dead. The caller frees *ids. A folder
 * that does not exist has none. ERR_PERMISSION, ERR_IO (errno). */
int api_client_list(const char *run_dir, struct node_id **ids, size_t *count) must_check;

/* Sends a request that only reads (taken) to one node, over whichever of its sockets we may open, and waits at most timeout_ms for each part of its answer. 0 and the result for the
 * caller to decref; or ERR_CLOSED when no process is behind the socket, ERR_PERMISSION, ERR_AGAIN when there
 * was no answer in time, ERR_FORMAT for an answer that is none, ERR_NOT_FOUND when the node refuses, with its
 * words in error; ERR_IO (errno). */
int api_client_read(const char *run_dir, const struct node_id *id, json_t *request, int timeout_ms,
                    json_t **result, char error[API_ERROR_MAX]) must_check;

/* Likewise any request, over the socket that takes all. */
int api_client_call(const char *run_dir, const struct node_id *id, json_t *request, int timeout_ms,
                    json_t **result, char error[API_ERROR_MAX]) must_check;

/* The process that answers for a node. ERR_CLOSED when there is none, ERR_PERMISSION, ERR_IO (errno). */
int api_client_pid(const char *run_dir, const struct node_id *id, pid_t *out) must_check;
