/* SPDX-License-Identifier: Apache-2.0 */
/* A line of its own for each URL: those of instances, with a tab before them, follow that of their backbone. */

#include "node/backbones/instance_cache.h"

#include "node/backbones/instances.h"
#include "node/cache/cache_file.h"
#include "proto/path/endpoint.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "shadowmesh instances 1\n"
/* Of each backbone its own URL and all of its instances, each with a tab and the line's end. */
#define FILE_MAX (sizeof(HEAD) + (size_t)UPLINKS_MAX * (1 + INSTANCES_MAX) * (INSTANCES_URL_MAX + 1))

static const struct cache_kind kind = {"instances", "the instances of backbones", FILE_MAX};

struct instance_cache {
    struct instance_cache_config config;
    struct cache_file *file;
};

/* ---- reading ---- */

/* The next line without its end; NULL: there is none. */
static char *take_line(char **text)
{
    char *line = *text, *end = strchr(line, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return line;
}

/* The lines with a tab before them, moved together to where the first of them begins. */
static struct slice take_list(char **text)
{
    char *begin = *text, *to = begin;
    while (**text == '\t') {
        const char *line = take_line(text);
        size_t len = line ? strlen(line + 1) : 0;
        if (!line)
            break;
        memmove(to, line + 1, len);
        to[len] = '\n';
        to += len + 1;
    }
    return (struct slice){(const uint8_t *)begin, (size_t)(to - begin)};
}

static bool list_all(char *text, void (*found)(void *context, const char *home, struct slice list),
                     void *context)
{
    const char *home;
    if (strncmp(text, HEAD, sizeof(HEAD) - 1) != 0)
        return false;
    text += sizeof(HEAD) - 1;
    while (*text && *text != '\t' && (home = take_line(&text)))
        found(context, home, take_list(&text));
    return *text == '\0';
}

void instance_cache_read(const char *folder,
                         void (*found)(void *context, const char *home, struct slice list), void *context)
{
    size_t len;
    char *text = (char *)cache_file_read(folder, &kind, &len);
    if (!text)
        return;
    text[len] = '\0'; /* there is room for one more */
    if (!list_all(text, found, context))
        cache_file_refuse(folder, &kind, "it is damaged");
    free(text);
}

/* ---- writing ---- */

static char *put(char *to, const char *before, const char *url)
{
    return stpcpy(stpcpy(stpcpy(to, before), url), "\n");
}

static char *put_all(char *to, const struct instances *i)
{
    to = put(to, "", i->home);
    for (unsigned k = 0; k < i->count; k++)
        to = put(to, "\t", i->list[k]);
    return to;
}

/* A backbone that names nobody is left out, and one whose URL could not be an instance's. */
static uint8_t *make(void *context, size_t *len)
{
    const struct instance_cache *c = context;
    const struct instances *i;
    char *text = malloc(FILE_MAX + 1), *end = text ? stpcpy(text, HEAD) : NULL;
    for (unsigned number = 0; text && number < UPLINKS_MAX && (i = c->config.at(c->config.context, number));
         number++)
        if (i->count && strlen(i->home) < INSTANCES_URL_MAX)
            end = put_all(end, i);
    *len = text ? (size_t)(end - text) : 0;
    return (uint8_t *)text;
}

void instance_cache_changed(struct instance_cache *c)
{
    if (c)
        cache_file_changed(c->file);
}

/* ---- life ---- */

int instance_cache_new(const struct instance_cache_config *config, struct instance_cache **out)
{
    struct instance_cache *c = calloc(1, sizeof(*c));
    if (!c)
        return ERR_NOMEM;
    c->config = *config;
    const struct cache_file_config file = {config->loop, config->folder, &kind, make, c};
    int err = cache_file_new(&file, &c->file);
    if (err)
        free(c);
    else
        *out = c;
    return err;
}

void instance_cache_close(struct instance_cache *c)
{
    if (!c)
        return;
    cache_file_close(c->file);
    free(c);
}
