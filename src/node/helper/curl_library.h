/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* libcurl, loaded where it is needed: the programs are not linked with it, since it brings LDAP, Kerberos, SSH and
 * GnuTLS along, which are to be in no process that holds a key. */

#include "base/err.h"
#include <stddef.h>

#define CURL_DISABLE_TYPECHECK /* its macros call what is linked */
#include <curl/curl.h>

/* Each is used as curl_<name>. */
#define CURL_LIBRARY_FUNCTIONS(row)                                                                          \
    row(easy_cleanup);                                                                                       \
    row(easy_getinfo);                                                                                       \
    row(easy_header);                                                                                        \
    row(easy_init);                                                                                          \
    row(easy_recv);                                                                                          \
    row(easy_send);                                                                                          \
    row(easy_setopt);                                                                                        \
    row(easy_strerror);                                                                                      \
    row(getdate);                                                                                            \
    row(global_init);                                                                                        \
    row(multi_add_handle);                                                                                   \
    row(multi_cleanup);                                                                                      \
    row(multi_fdset);                                                                                        \
    row(multi_info_read);                                                                                    \
    row(multi_init);                                                                                         \
    row(multi_perform);                                                                                      \
    row(multi_poll);                                                                                         \
    row(multi_remove_handle);                                                                                \
    row(multi_timeout);                                                                                      \
    row(slist_append);                                                                                       \
    row(slist_free_all)

struct curl_library {
#define CURL_LIBRARY_MEMBER(name) __typeof__(curl_##name) *name
    CURL_LIBRARY_FUNCTIONS(CURL_LIBRARY_MEMBER);
};

/* For the life of the process. ERR_NOT_FOUND: failed says what is missing, for a person. */
int curl_library_load(struct curl_library *out, char *failed, size_t size) must_check;
