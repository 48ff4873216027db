/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The HTTP proxy by which a backbone is reached, if any: from flags, else from the environment, as curl(1) reads it. Main
 * thread, before anything else runs. */

#include "node/config/words.h"
#include <stdbool.h>

#define PROXY_URL_MAX   512
#define PROXY_WRONG_MAX 256

struct config;

/* Name and password are nowhere but here: no flag, line or answer has them. */
struct proxy {
    char url[PROXY_URL_MAX];                   /* without name and password, with a port; empty: none */
    char shown[PROXY_URL_MAX + 8];             /* to people: with "***@" where it has a name */
    char user[WORDS_MAX], password[WORDS_MAX]; /* empty: none */
};

/* By which that one of the config's backbones is reached. look finds a variable of the environment, as getenv(3). False when a flag cannot be followed: wrong is a line for people,
 * and so it may be otherwise: of a variable that is not used. A backbone on this machine is reached by none, unless -proxy
 * names one. */
bool proxy_choose(const struct config *config, const char *backbone, char *(*look)(const char *name),
                  struct proxy *out, char wrong[PROXY_WRONG_MAX]);

/* Wipes name and password. */
void proxy_forget_words(struct proxy *p);
