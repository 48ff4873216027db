/* SPDX-License-Identifier: Apache-2.0 */
/* Names come in parts and count once all are there. What the node says is checked as if a stranger had said it: names become
 * lines of a file that all programs believe, and words of a command. */
#include "node/helper/resolver_helper.h"

#include "base/bytes.h"
#include "node/helper/helper_channel.h"
#include "node/helper/resolved.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS_MAX (4 << 20) /* bytes of the file */

struct resolver {
    int fd;
    const struct resolver_helper_config *config;
    enum resolver_mode mode; /* RESOLVED, HOSTS or OFF */
    struct hosts_name *names;
    size_t count;
    char device[IF_NAMESIZE]; /* that resolved was told of; empty: none */
    bool written;             /* the file has lines of ours */
    struct helper_packet packet;
};

static void tell(const struct resolver *r, const char *text)
{
    struct helper_message m = {.kind = HELPER_NAMES_HELD, .number = r->mode};
    helper_message_set_text(&m, text);
    (void)!helper_channel_send(r->fd, &m); /* a node that is gone needs none */
}

/* ---- /etc/hosts ---- */

static char *read_file(int fd, size_t *len)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > HOSTS_MAX)
        return NULL;
    char *text = malloc((size_t)st.st_size + 1);
    ssize_t n = text ? pread(fd, text, (size_t)st.st_size, 0) : -1;
    *len = n > 0 ? (size_t)n : 0;
    if (n >= 0)
        return text;
    free(text);
    return NULL;
}

/* In place, as containers mount a file there that cannot be replaced; what is longer than before is written first, so that a full
 * disk cuts nothing off. */
static int write_file(int fd, const char *text, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, text + done, len - done, (off_t)done);
        if (n <= 0)
            return ERR_IO;
        done += (size_t)n;
    }
    return ftruncate(fd, (off_t)len) == 0 ? 0 : ERR_IO;
}

/* One node at a time: each network has lines of its own. */
static int change_file(const struct resolver *r, const struct hosts_name *names, size_t count)
{
    size_t len = 0, new_len = 0;
    int fd = open(r->config->hosts, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return ERR_IO;
    char *text = flock(fd, LOCK_EX) == 0 ? read_file(fd, &len) : NULL;
    char *changed = text ? hosts_block_put(text, len, r->config->network, names, count, &new_len) : NULL;
    int err = changed ? 0 : ERR_IO;
    if (!err && (new_len != len || memcmp(text, changed, len) != 0))
        err = write_file(fd, changed, new_len);
    free(text);
    free(changed);
    close(fd);
    return err;
}

static void put_hosts(struct resolver *r)
{
    char why[128];
    r->written = true; /* perhaps in part */
    if (change_file(r, r->names, r->count) == 0) {
        tell(r, "");
        return;
    }
    snprintf(why, sizeof(why), "%s cannot be changed: %s", r->config->hosts, strerror(errno));
    tell(r, why);
}

/* ---- systemd-resolved ---- */

static bool is_word(const char *text, const char *others)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr(others, *c))
            return false;
    return *text && *text != '-';
}

/* Its lines, each with its end. */
static bool take_domains(struct slice data, char text[HELPER_MESSAGE_MAX], const char **out, unsigned *count)
{
    if (!data.len || data.len >= HELPER_MESSAGE_MAX || memchr(data.data, '\0', data.len))
        return false;
    memcpy(text, data.data, data.len);
    text[data.len] = '\0';
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line; out[(*count)++] = line)
        if (*count == RESOLVED_DOMAINS_MAX || !is_word(line, "~.-"))
            return false;
    return *count > 0;
}

static int put_resolved(struct resolver *r, const struct helper_message *m)
{
    static char text[HELPER_MESSAGE_MAX];
    const char *domains[RESOLVED_DOMAINS_MAX];
    unsigned count = 0;
    if (!is_word(m->text, "._-") || strlen(m->text) >= sizeof(r->device) ||
        !take_domains(m->data, text, domains, &count))
        return ERR_FORMAT;
    strcpy(r->device, m->text);
    int err = resolved_set(r->device, m->addresses, m->address_count, domains, count);
    tell(r, err ? "systemd-resolved does not take the servers of its device" : "");
    return 0;
}

/* ---- what the node says ---- */

static bool take_name(struct reader *in, struct hosts_name *out)
{
    static const uint8_t lengths[] = {[4] = 4, [6] = 16};
    *out = (struct hosts_name){0};
    size_t len = reader_u8(in);
    if (len >= sizeof(out->name))
        return false;
    reader_copy(in, out->name, len);
    out->count = reader_u8(in);
    if (in->bad || strlen(out->name) != len || !is_word(out->name, "-") || out->count > HOSTS_ADDRESSES_MAX)
        return false;
    for (unsigned i = 0; i < out->count; i++) {
        struct addr *a = &out->addresses[i];
        a->family = reader_u8(in);
        if (a->family != 4 && a->family != 6)
            return false;
        reader_copy(in, a->ip, lengths[a->family]);
    }
    return !in->bad;
}

static int add_names(struct resolver *r, struct slice data)
{
    struct reader in = reader_init(data.data, data.len);
    while (reader_left(&in)) {
        if (r->count == RESOLVER_NAMES_MAX || !take_name(&in, &r->names[r->count]))
            return ERR_FORMAT;
        r->count++;
    }
    return 0;
}

static int on_message(struct resolver *r, const struct helper_message *m)
{
    int err = 0;
    if (m->kind == HELPER_NAMES_SOME)
        return add_names(r, m->data);
    if (m->kind != HELPER_NAMES_SET)
        return ERR_FORMAT;
    if (r->mode == RESOLVER_HOSTS)
        put_hosts(r);
    else if (r->mode == RESOLVER_RESOLVED)
        err = put_resolved(r, m);
    r->count = 0;
    return err;
}

static void take_back(const struct resolver *r)
{
    if (r->device[0])
        resolved_unset(r->device);
    if (r->written)
        (void)!change_file(r, NULL, 0);
}

static enum resolver_mode choose(const struct resolver_helper_config *config)
{
    if (config->mode != RESOLVER_AUTO)
        return config->mode;
    if (resolved_is_here())
        return RESOLVER_RESOLVED;
    return access(config->hosts, W_OK) == 0 ? RESOLVER_HOSTS : RESOLVER_OFF;
}

int resolver_helper_run(int fd, const struct resolver_helper_config *config)
{
    static struct resolver r;
    r.fd = fd;
    r.config = config;
    r.mode = choose(config);
    r.names = calloc(RESOLVER_NAMES_MAX, sizeof(*r.names));
    int err = r.names ? 0 : ERR_NOMEM;
    if (!err)
        tell(&r, "");
    while (!err) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, -1) <= 0)
            continue;
        err = helper_channel_receive(fd, &r.packet);
        if (!err)
            err = on_message(&r, &r.packet.message);
        else if (err == ERR_AGAIN)
            err = 0;
    }
    take_back(&r);
    free(r.names);
    return err == ERR_CLOSED ? EXIT_SUCCESS : EXIT_FAILURE;
}
