/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Reads tests/vectors/NAME: paragraphs of "name = hex" lines, comments after '#'. Include after cmocka.h. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_FIELDS   8
#define VECTOR_LINE_MAX 20000

struct vector_field {
    char name[16];
    size_t len;
    uint8_t *bytes;
};

struct vectors {
    FILE *file;
    char title[160]; /* the case's comment */
    size_t count;
    struct vector_field field[VECTOR_FIELDS];
};

static inline void vectors_open(struct vectors *v, const char *name)
{
    const char *dir = getenv("VECTORS");
    char path[512];

    memset(v, 0, sizeof(*v));
    snprintf(path, sizeof(path), "%s/%s", dir ? dir : "tests/vectors", name);
    v->file = fopen(path, "r");
    if (!v->file)
        fail_msg("cannot open %s: set VECTORS", path);
}

static inline void vectors_drop(struct vectors *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->field[i].bytes);
    v->count = 0;
}

static inline void vectors_close(struct vectors *v)
{
    vectors_drop(v);
    fclose(v->file);
}

static inline void vectors_take_line(struct vectors *v, const char *line)
{
    struct vector_field *f = &v->field[v->count];
    const char *hex = strchr(line, '=');
    unsigned byte;

    assert_non_null(hex);
    assert_in_range(v->count, 0, VECTOR_FIELDS - 1);
    assert_int_equal(sscanf(line, "%15[a-z]", f->name), 1);
    hex += strspn(hex, "= ");
    f->bytes = malloc(strlen(hex) / 2 + 1); /* exact, so that ASan sees reads past the end */
    assert_non_null(f->bytes);
    for (f->len = 0; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        f->bytes[f->len++] = (uint8_t)byte;
    v->count++;
}

/* The next paragraph with fields; false at the end of the file. */
static inline bool vectors_next(struct vectors *v)
{
    static char line[VECTOR_LINE_MAX];

    vectors_drop(v);
    while (fgets(line, sizeof(line), v->file)) {
        assert_non_null(strchr(line, '\n'));
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#')
            snprintf(v->title, sizeof(v->title), "%.150s", line + 1);
        else if (line[0] != '\0')
            vectors_take_line(v, line);
        else if (v->count)
            return true;
    }
    return v->count > 0;
}

/* A field of the case at hand, or NULL. */
static inline const struct vector_field *vectors_find(const struct vectors *v, const char *name)
{
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->field[i].name, name) == 0)
            return &v->field[i];
    return NULL;
}

static inline const struct vector_field *vectors_get(const struct vectors *v, const char *name)
{
    const struct vector_field *f = vectors_find(v, name);

    if (!f)
        fail_msg("case \"%s\" has no field %s", v->title, name);
    return f;
}
