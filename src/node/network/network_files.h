/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The files of KEYDIR that make a node a member. Says what is wrong with them. Control thread; before the cage. */

#include "crypto/cert.h"
#include <stdbool.h>

#define NETWORK_TOKEN_FILE       "join.token"
#define NETWORK_LAST_ISSUER_FILE "last-issuer.pem" /* of the certificate before member.pem */

struct network_der {
    size_t len; /* 0: there is no such file */
    uint8_t bytes[CERT_MAX];
};

struct network_files {
    struct network_der ca, issuer, member, last_issuer;
    bool token; /* there is one, to join by */
};

/* Opens KEYDIR, whose descriptor is the caller's. -1: the log was told. */
int network_files_open(const char *keydir) must_check;

/* Reads those that are there. An error was told. */
int network_files_read(int dir_fd, const char *keydir, struct network_files *out) must_check;
