/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a record of what is to be undone. Pure functions, no thread's. */

#include "node/device/undo.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "shadowmesh-undo 1"

const struct undo_setting undo_settings[UNDO_SETTINGS] = {
    {"rp_filter", "2"},    /* loose: hosts behind a peer have no route of their own */
    {"arp_ignore", "1"},   /* answer for the device's addresses only */
    {"arp_announce", "2"}, /* ask with the device's address only */
};

size_t undo_encode(const struct undo *u, char out[UNDO_TEXT_MAX])
{
    int len = snprintf(out, UNDO_TEXT_MAX, "%s\nplace %s\ndevice %s %u\n%s", MAGIC, u->place, u->device,
                       u->index, u->down ? "down\n" : "");
    for (unsigned i = 0; i < UNDO_SETTINGS; i++)
        if (u->before[i][0])
            len += snprintf(out + len, UNDO_TEXT_MAX - (size_t)len, "%s %s\n", undo_settings[i].key,
                            u->before[i]);
    len += snprintf(out + len, UNDO_TEXT_MAX - (size_t)len, "end\n");
    return (size_t)len;
}

/* The lines still to be read. */
struct lines {
    const char *next, *end;
};

/* The word behind "key " on the next line, which is passed over only when there is one. */
static bool take_word(struct lines *l, const char *key, char *out, size_t size)
{
    size_t key_len = strlen(key), left = (size_t)(l->end - l->next), len = 0;
    if (left <= key_len + 1 || memcmp(l->next, key, key_len) != 0 || l->next[key_len] != ' ')
        return false;
    const char *word = l->next + key_len + 1;
    while (word + len < l->end && isgraph((unsigned char)word[len]))
        len++;
    if (len == 0 || len >= size)
        return false;
    memcpy(out, word, len);
    out[len] = '\0';
    l->next = word + len;
    return true;
}

static bool take(struct lines *l, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(l->end - l->next) < len || memcmp(l->next, text, len) != 0)
        return false;
    l->next += len;
    return true;
}

static bool take_index(struct lines *l, unsigned *out)
{
    uint64_t value = 0;
    if (!take(l, " "))
        return false;
    for (; l->next < l->end && isdigit((unsigned char)*l->next) && value <= INT32_MAX; l->next++)
        value = value * 10 + (unsigned)(*l->next - '0');
    *out = (unsigned)value;
    return value > 0 && value <= INT32_MAX;
}

static bool is_number(const char *text)
{
    size_t digits = strspn(text[0] == '-' ? text + 1 : text, "0123456789");
    return digits > 0 && digits == strlen(text[0] == '-' ? text + 1 : text);
}

static bool take_settings(struct lines *l, struct undo *u)
{
    for (unsigned i = 0; i < UNDO_SETTINGS; i++)
        if (take_word(l, undo_settings[i].key, u->before[i], UNDO_VALUE_MAX) &&
            (!is_number(u->before[i]) || !take(l, "\n")))
            return false;
    return true;
}

/* Written back, it must be what was read: nothing has two forms (a leading zero, say). */
static bool is_canonical(const struct undo *u, const char *text, size_t len)
{
    char again[UNDO_TEXT_MAX];
    return undo_encode(u, again) == len && memcmp(text, again, len) == 0;
}

int undo_decode(const char *text, size_t len, struct undo *out)
{
    struct lines l = {text, text + len};
    *out = (struct undo){.down = false};
    if (!take(&l, MAGIC "\n") || !take_word(&l, "place", out->place, sizeof(out->place)) || !take(&l, "\n") ||
        !take_word(&l, "device", out->device, sizeof(out->device)) || !take_index(&l, &out->index) ||
        !take(&l, "\n"))
        goto malformed;
    out->down = take(&l, "down\n");
    if (take_settings(&l, out) && take(&l, "end\n") && l.next == l.end && is_canonical(out, text, len))
        return 0;
malformed:
    *out = (struct undo){.down = false};
    return ERR_FORMAT;
}
