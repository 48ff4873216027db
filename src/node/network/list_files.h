/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A network's lists on disk: KEYDIR/lists, a file of each kind and signer, replaced as a whole. So a node that starts knows who is
 * shut out before it meets anybody. What is read is judged as if a peer had sent it. Control thread; the pool writes.
 * docs/PROTOCOL.md §27. */

#include "base/err.h"
#include <stdint.h>
#include <uv.h>

#define LIST_FILES_FOLDER "lists"

struct list_files;
struct rolls;

struct list_files_config {
    uv_loop_t *loop;
    struct rolls *rolls; /* borrowed until list_files_close */
    const char *keydir;  /* read by list_files_open alone */
};

/* Opens the folder, which is made if there is none, and takes what is in it into the rolls; what does not hold costs a line. Before
 * the cage. An error was told. */
int list_files_open(const struct list_files_config *config, struct list_files **out) must_check;

/* Has the pool write what has changed, a list at a time: to be called once a second. What cannot be written is told once, and tried
 * again each minute. NULL is allowed. */
void list_files_save(struct list_files *f, uint64_t now_us);

/* What is not written by then is fetched anew from peers. It frees itself once the pool is done. NULL is allowed. */
void list_files_close(struct list_files *f);
