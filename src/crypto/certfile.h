/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A certificate as a PEM file (RFC 7468), which other programs read too. Control thread. */

#include "crypto/cert.h"

#define CERTFILE_CA         "ca.pem"
#define CERTFILE_ISSUER     "issuer.pem"     /* of the issuer that member.pem came with */
#define CERTFILE_OWN_ISSUER "own-issuer.pem" /* of a node that is an issuer itself */
#define CERTFILE_MEMBER     "member.pem"

#define CERTFILE_TEXT_MAX 12288 /* bytes of one */

/* What certfile_read makes of a file's text: ERR_FORMAT, or 0. */
int certfile_decode(const uint8_t *text, size_t len, uint8_t der[CERT_MAX], size_t *out) must_check;

/* Reads the file name of a folder that folder_open opened: one certificate, exactly as certfile_write and `openssl x509`
 * write it, and nothing else. ERR_FORMAT otherwise, also when it is longer than CERT_MAX; the errors of folder_read. The
 * bytes are judged by whoever decodes them. On an error *len is 0. */
int certfile_read(int dir_fd, const char *name, uint8_t der[CERT_MAX], size_t *len) must_check;

/* Writes it, mode 0644, in the place of an older one or not at all. The errors of folder_replace; ERR_SPACE, too, when der
 * is longer than CERT_MAX. */
int certfile_write(int dir_fd, const char *name, const uint8_t *der, size_t len) must_check;
