/* SPDX-License-Identifier: Apache-2.0 */
/* Each instance is tried once until something answers; which one is left to chance, so that those who leave a dead one do not
 * all come to the same. */
#include "node/backbones/instances.h"

#include "base/clock.h"
#include "node/config/config_value.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SECURE "https://"

static const struct bucket_rate knock_rate = {INSTANCES_KNOCK_US, INSTANCES_KNOCKS};

void instances_init(struct instances *i, const char *home)
{
    *i = (struct instances){.home = home};
}

const char *instances_at(const struct instances *i)
{
    return i->away[0] ? i->away : i->home;
}

bool instances_is_away(const struct instances *i)
{
    return i->away[0] != '\0';
}

/* ---- the list ---- */

static bool is_secure(const char *url)
{
    return strncasecmp(url, SECURE, sizeof(SECURE) - 1) == 0;
}

/* Of a path nobody would answer, and https never becomes http. */
bool instances_take(const struct instances *i, const char *text, char out[INSTANCES_URL_MAX])
{
    const char *wrong = config_read_url(text, out, INSTANCES_URL_MAX);
    if (wrong || strchr(strstr(out, "://") + 3, '/'))
        return false;
    return is_secure(out) || !is_secure(i->home);
}

bool instances_is_here(const struct instances *i, const char *url)
{
    return strcasecmp(url, i->home) == 0 || strcasecmp(url, instances_at(i)) == 0 ||
           (i->heard_here && strcasecmp(url, i->list[0]) == 0);
}

static bool is_listed(const struct instances *i, const char *url)
{
    for (unsigned k = 0; k < i->count; k++)
        if (strcasecmp(i->list[k], url) == 0)
            return true;
    return false;
}

static void add(struct instances *i, const char *text)
{
    char url[INSTANCES_URL_MAX];
    if (i->count < INSTANCES_MAX && instances_take(i, text, url) && !is_listed(i, url))
        strcpy(i->list[i->count++], url);
}

static void read_list(struct instances *i, struct slice list)
{
    const char *text = (const char *)list.data, *end = text + list.len;
    while (text < end) {
        char line[INSTANCES_URL_MAX];
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t len = (size_t)((stop ? stop : end) - text);
        if (len < sizeof(line)) {
            snprintf(line, sizeof(line), "%.*s", (int)len, text);
            add(i, line);
        }
        text += len + 1;
    }
}

bool instances_learn(struct instances *i, struct slice list)
{
    struct instances next = {.home = i->home};
    read_list(&next, list);
    i->heard_here = next.count > 0;
    if (next.count == 0 || (next.count == i->count && memcmp(next.list, i->list, sizeof(next.list)) == 0))
        return false;
    i->count = next.count;
    memcpy(i->list, next.list, sizeof(i->list));
    memset(i->tried, 0, sizeof(i->tried));
    return true;
}

void instances_remember(struct instances *i, struct slice list)
{
    (void)instances_learn(i, list);
    i->heard_here = false;
}

/* ---- which one ---- */

/* Where we are is tried, under whichever of its names. */
static void mark_tried(struct instances *i)
{
    i->home_tried |= !i->away[0];
    for (unsigned k = 0; k < i->count; k++)
        i->tried[k] |= strcasecmp(i->list[k], instances_at(i)) == 0 || (k == 0 && i->heard_here);
    i->heard_here = false;
}

void instances_pass_over(struct instances *i, const char *url)
{
    for (unsigned k = 0; k < i->count; k++)
        i->tried[k] |= strcasecmp(i->list[k], url) == 0;
}

void instances_answered(struct instances *i)
{
    memset(i->tried, 0, sizeof(i->tried));
    i->home_tried = false;
}

void instances_return(struct instances *i)
{
    i->away[0] = '\0';
    i->heard_here = false;
    instances_answered(i);
}

static const char *choose(const struct instances *i, uint32_t random)
{
    for (unsigned k = 0; k < i->count; k++) {
        unsigned at = (random % i->count + k) % i->count;
        if (!i->tried[at] && strcasecmp(i->list[at], i->home) != 0)
            return i->list[at];
    }
    return NULL;
}

/* All were tried, or too many of late. Waiting is done at home. */
static bool go_home(struct instances *i)
{
    bool moved = i->away[0] != '\0';
    if (i->home_tried)
        instances_answered(i);
    i->away[0] = '\0';
    return moved;
}

bool instances_move_on(struct instances *i, uint32_t random, uint64_t now_us)
{
    mark_tried(i);
    const char *next = choose(i, random);
    if (!next || !bucket_take(&i->knocks, &knock_rate, 1, now_us))
        return go_home(i);
    strcpy(i->away, next);
    return true;
}
