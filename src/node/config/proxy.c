/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, a file of mode 0600, and the variables https_proxy, http_proxy, all_proxy and no_proxy. */
#include "node/config/proxy.h"

#include "base/addr.h"
#include "node/config/config.h"
#include "node/config/config_value.h"
#include "node/config/words.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS ", \t"

/* ---- a file with name and password ---- */

static const char *read_file(const char *path, struct proxy *out)
{
    struct words words;
    const char *wrong = words_read(path, &words);
    if (!wrong) {
        memcpy(out->user, words.user, sizeof(out->user));
        memcpy(out->password, words.password, sizeof(out->password));
    }
    explicit_bzero(&words, sizeof(words));
    return wrong;
}

/* ---- the environment ---- */

static bool copy_entry(const char *text, size_t len, char out[PROXY_URL_MAX])
{
    if (len >= PROXY_URL_MAX)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* "192.0.2.0/24", "2001:db8::/32". */
static bool covers(char *network, const struct addr *host)
{
    struct addr_prefix p;
    char *slash = strchr(network, '/'), *end;
    if (!slash)
        return false;
    *slash = '\0';
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (end == slash + 1 || *end || addr_parse(network, 0, &p.addr) != 0)
        return false;
    p.bits = (uint8_t)bits;
    return bits <= (p.addr.family == 4 ? 32 : 128) && addr_in_prefix(host, &p);
}

/* "*", "example.com", ".example.com", a network: of a name its ends at a dot count, too. */
static bool matches(char *entry, const char *host)
{
    struct addr a;
    const char *name = entry + (*entry == '.');
    size_t len = strlen(name), host_len = strlen(host);
    if (strcmp(name, "*") == 0)
        return true;
    if (addr_parse(host, 0, &a) == 0 && strchr(entry, '/'))
        return covers(entry, &a);
    const char *tail = host + host_len - len;
    return len && len <= host_len && strcasecmp(tail, name) == 0 && (tail == host || tail[-1] == '.');
}

static bool lists(const char *list, const char *host)
{
    char entry[PROXY_URL_MAX];
    for (const char *at = list + strspn(list, BLANKS); *at; at += strspn(at, BLANKS)) {
        size_t len = strcspn(at, BLANKS);
        if (copy_entry(at, len, entry) && matches(entry, host))
            return true;
        at += len;
    }
    return false;
}

static bool is_this_machine(const char *host)
{
    struct addr a;
    return strcasecmp(host, "localhost") == 0 || (addr_parse(host, 0, &a) == 0 && addr_is_loopback(&a));
}

/* Of a URL that node/config takes. */
static void host_of(const char *url, char out[PROXY_URL_MAX])
{
    const char *host = strstr(url, "://") + 3;
    bool bracketed = *host == '[';
    size_t len = strcspn(host + bracketed, bracketed ? "]" : ":/");
    snprintf(out, PROXY_URL_MAX, "%.*s", (int)len, host + bracketed);
}

/* The first of two that says something; the second may be NULL. */
static const char *first_of(char *(*look)(const char *name), const char *a, const char *b, const char **name)
{
    const char *value = look(a);
    *name = a;
    if (value && *value)
        return value;
    *name = b ? b : a;
    value = b ? look(b) : NULL;
    return value && *value ? value : NULL;
}

/* HTTP_PROXY may be a header of a stranger's, where a web server runs us: curl(1). */
static const char *find(const char *backbone, char *(*look)(const char *name), const char **name)
{
    bool secure = strncasecmp(backbone, "https:", 6) == 0;
    const char *value = secure ? first_of(look, "https_proxy", "HTTPS_PROXY", name)
                               : first_of(look, "http_proxy", NULL, name);
    return value ? value : first_of(look, "all_proxy", "ALL_PROXY", name);
}

static bool decode_percent(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        char digits[3] = {0};
        if (*in == '%') {
            if (!isxdigit((unsigned char)in[1]) || !isxdigit((unsigned char)in[2]))
                return false;
            memcpy(digits, in + 1, 2);
            in += 2;
        }
        *out = digits[0] ? (char)strtoul(digits, NULL, 16) : *in;
        if (!*out++)
            return false;
    }
    *out = '\0';
    return true;
}

/* Takes "user:password@" out of authority. */
static bool take_words(char *authority, struct proxy *out)
{
    char *at = strrchr(authority, '@');
    if (!at)
        return true;
    *at = '\0';
    char *colon = strchr(authority, ':');
    if (colon)
        *colon++ = '\0';
    bool ok = strlen(authority) < sizeof(out->user) && (!colon || strlen(colon) < sizeof(out->password));
    if (ok) {
        strcpy(out->user, authority);
        strcpy(out->password, colon ? colon : "");
        ok = decode_percent(out->user) && decode_percent(out->password);
    }
    memmove(authority, at + 1, strlen(at + 1) + 1);
    return ok;
}

static bool has_port(const char *authority)
{
    const char *bracket = strchr(authority, ']');
    return strchr(bracket ? bracket : authority, ':') != NULL;
}

/* The ports are curl's. */
static bool read_variable(const char *value, struct proxy *out)
{
    char authority[PROXY_URL_MAX], url[PROXY_URL_MAX + 32];
    bool secure = strncasecmp(value, "https://", 8) == 0;
    const char *rest = secure ? value + 8 : strncasecmp(value, "http://", 7) == 0 ? value + 7 : value;
    if (strstr(rest, "://") || strlen(rest) >= sizeof(authority))
        return false;
    strcpy(authority, rest);
    authority[strcspn(authority, "/")] = '\0';
    bool ok = take_words(authority, out);
    snprintf(url, sizeof(url), "%s://%s%s", secure ? "https" : "http", authority,
             has_port(authority) ? ""
             : secure            ? ":443"
                                 : ":1080");
    explicit_bzero(authority, sizeof(authority));
    return ok && !config_read_proxy(url, out->url, sizeof(out->url));
}

static void choose_by_environment(const char *backbone, char *(*look)(const char *name), struct proxy *out,
                                  char wrong[PROXY_WRONG_MAX])
{
    char host[PROXY_URL_MAX];
    const char *name, *none = first_of(look, "no_proxy", "NO_PROXY", &name);
    host_of(backbone, host);
    if (is_this_machine(host) || (none && lists(none, host)))
        return;
    const char *value = find(backbone, look, &name);
    if (!value || read_variable(value, out))
        return;
    explicit_bzero(out, sizeof(*out));
    snprintf(wrong, PROXY_WRONG_MAX, "%s in the environment is not used: it is no http:// or https:// proxy",
             name);
}

/* ---- both ---- */

static bool read_words(const char *path, struct proxy *out, char wrong[PROXY_WRONG_MAX])
{
    const char *why = out->url[0] ? read_file(path, out) : "there is no proxy that it is for";
    if (why)
        snprintf(wrong, PROXY_WRONG_MAX, "-proxy-auth %.120s: %s", path, why);
    return !why;
}

bool proxy_choose(const struct config *config, const char *backbone, char *(*look)(const char *name),
                  struct proxy *out, char wrong[PROXY_WRONG_MAX])
{
    *out = (struct proxy){0};
    wrong[0] = '\0';
    bool named = config->proxy[0], off = strcmp(config->proxy, CONFIG_PROXY_OFF) == 0;
    if (named && !off)
        strcpy(out->url, config->proxy);
    if (!named)
        choose_by_environment(backbone, look, out, wrong);
    if (config->proxy_auth[0] && !read_words(config->proxy_auth, out, wrong))
        return false;
    const char *host = out->url[0] ? strstr(out->url, "://") + 3 : out->url;
    snprintf(out->shown, sizeof(out->shown), "%.*s%s%s", (int)(host - out->url), out->url,
             out->user[0] ? "***@" : "", host);
    return true;
}

void proxy_forget_words(struct proxy *p)
{
    explicit_bzero(p->user, sizeof(p->user));
    explicit_bzero(p->password, sizeof(p->password));
}
