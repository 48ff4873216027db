/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, a file of mode 0600, and one variable of the environment. Main thread, at the start. */

#include "backbone/redis_target.h"

#include "backbone/redis_tls.h"
#include "base/private_file.h"
#include "base/text.h"
#include "crypto/secret.h"
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASK        "***"
#define CITED_LEAST 8 /* bytes of a beginning of the password that nobody says by chance */
#define FORM        "give redis://[USER@]HOST[:PORT][/DB] or unix:///PATH"

static const char *read_path(struct redis_target *t, const char *path)
{
    if (path[0] != '/' || !path[1])
        return "no path of a socket: give unix:///PATH";
    if (strlen(path) >= sizeof(t->path))
        return "a path that is too long for a socket";
    strcpy(t->path, path);
    snprintf(t->shown, sizeof(t->shown), "unix://%s", path);
    return NULL;
}

/* Takes "USER@" off the front. */
static const char *read_user(struct redis_target *t, char **authority)
{
    char *at = strrchr(*authority, '@');
    if (!at)
        return NULL;
    *at = '\0';
    if (strlen(*authority) >= sizeof(t->user))
        return "a user's name that is too long";
    strcpy(t->user, *authority);
    *authority = at + 1;
    return NULL;
}

static int read_number(const char *text, unsigned long max, unsigned long *out)
{
    size_t len = strlen(text);
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
        return ERR_ARGUMENT;
    *out = strtoul(text, NULL, 10);
    return *out <= max ? 0 : ERR_ARGUMENT;
}

/* "HOST", "HOST:PORT", "[v6]", "[v6]:PORT". */
static const char *read_host(struct redis_target *t, char *authority)
{
    unsigned long port = REDIS_PORT;
    bool bracketed = authority[0] == '[';
    char *end = bracketed ? strchr(authority, ']') : authority + strcspn(authority, ":");
    if (!end || end == authority + bracketed)
        return "no host: " FORM;
    char *colon = end + bracketed;
    if (*colon && (*colon != ':' || read_number(colon + 1, UINT16_MAX, &port) != 0 || port == 0))
        return "no port: " FORM;
    *end = '\0';
    const char *host = authority + bracketed;
    if (strlen(host) >= sizeof(t->host) || strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                        "0123456789.-_:%") != strlen(host))
        return "no host: " FORM;
    strcpy(t->host, host);
    t->port = (uint16_t)port;
    return NULL;
}

static const char *read_server(struct redis_target *t, const char *rest)
{
    char text[512];
    unsigned long database = 0;
    if (strlen(rest) >= sizeof(text))
        return "too long for a URL";
    strcpy(text, rest);
    char *slash = strchr(text, '/'), *authority = text;
    if (slash)
        *slash++ = '\0';
    if (slash && *slash && read_number(slash, REDIS_DATABASE_MAX, &database) != 0)
        return "no number of a database: " FORM;
    const char *wrong = read_user(t, &authority);
    if (!wrong)
        wrong = read_host(t, authority);
    t->database = (unsigned)database;
    if (!wrong)
        snprintf(t->shown, sizeof(t->shown), strchr(t->host, ':') ? "%s://[%s]:%u/%u" : "%s://%s:%u/%u",
                 t->tls ? "rediss" : "redis", t->host, (unsigned)t->port, t->database);
    return wrong;
}

/* "…://USER:PASSWORD@…" */
static bool holds_password(const char *text)
{
    const char *authority = strstr(text, "://"), *at = strrchr(text, '@');
    return authority && at && at > authority + 3 && memchr(authority + 3, ':', (size_t)(at - authority - 3));
}

const char *redis_target_read(struct redis_target *t, const char *text)
{
    t->given = true;
    t->has_password = holds_password(text);
    if (t->has_password)
        return NULL; /* what is wrong is said without it */
    if (strncmp(text, "unix://", 7) == 0)
        return read_path(t, text + 7);
    t->tls = strncmp(text, "rediss://", 9) == 0;
    if (t->tls && !redis_tls_is_here())
        return "rediss://, which needs hiredis 1.0 or later with its SSL part: give redis:// or unix:// to a "
               "tunnel, such as stunnel's";
    if (t->tls || strncmp(text, "redis://", 8) == 0)
        return read_server(t, text + (t->tls ? 9 : 8));
    return "no URL of a store: " FORM;
}

const char *redis_target_read_password(struct redis_target *t, const char *path)
{
    char text[REDIS_PASSWORD_MAX + 1];
    const char *wrong = private_file_read_line(path, text, sizeof(text));
    if (!wrong && !text[0])
        wrong = "its first line is empty";
    else if (!wrong && strlen(text) >= sizeof(t->password))
        wrong = "its first line is too long";
    if (!wrong)
        strcpy(t->password, text);
    secret_wipe(text, sizeof(text));
    return wrong;
}

const char *redis_target_take_environment(struct redis_target *t)
{
    char *value = getenv(REDIS_PASSWORD_NAME);
    if (!value)
        return NULL;
    bool fits = strlen(value) < sizeof(t->password);
    if (t->given && !t->password[0] && fits)
        strcpy(t->password, value);
    secret_wipe(value, strlen(value));
    unsetenv(REDIS_PASSWORD_NAME);
    return fits ? NULL : "too long for a password";
}

const char *redis_target_resolve(struct redis_target *t)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    if (!t->host[0])
        return NULL;
    if (addr_parse(t->host, t->port, &t->addresses[0]) == 0) {
        t->count = 1;
        return NULL;
    }
    int err = getaddrinfo(t->host, NULL, &hints, &found);
    if (err)
        return gai_strerror(err);
    for (const struct addrinfo *a = found; a && t->count < REDIS_ADDRESSES_MAX; a = a->ai_next) {
        if (addr_from_sockaddr(a->ai_addr, &t->addresses[t->count]) == 0)
            t->addresses[t->count++].port = t->port;
    }
    freeaddrinfo(found);
    return t->count ? NULL : "it has no address";
}

/* How much of the password stands there. Servers cite no more of a word than they have room for. */
static size_t cited(const struct redis_target *t, const char *text, size_t len)
{
    size_t all = strlen(t->password), n = 0;
    while (n < all && n < len && text[n] == t->password[n])
        n++;
    return n == all || n >= CITED_LEAST ? n : 0;
}

/* It is cleaned behind that: a password may have bytes that no line does. */
void redis_target_mask(const struct redis_target *t, const char *text, size_t len, char *out, size_t size)
{
    size_t n, at = 0;
    for (size_t i = 0; i < len && at + sizeof(MASK) <= size; i += n ? n : 1) {
        n = cited(t, text + i, len - i);
        memcpy(out + at, n ? MASK : text + i, n ? sizeof(MASK) - 1 : 1);
        at += n ? sizeof(MASK) - 1 : 1;
    }
    out[text_clean(out, at)] = '\0';
}
