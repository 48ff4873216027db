/* SPDX-License-Identifier: Apache-2.0 */
/* A value has one encoding. The check tells a copy that went wrong, and protects nothing. */

#include "crypto/backup.h"

#include "crypto/cert_rules.h"
#include "crypto/kdf.h"

#define KIND     "shadowmesh backup "
#define VERSION  KIND "1\n"
#define HEAD_LEN (sizeof(VERSION) - 1)

/* ---- files ---- */

static bool is_name(const char *name)
{
    size_t len = strnlen(name, FOLDER_NAME_MAX);

    return len > 0 && len < FOLDER_NAME_MAX && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len;
}

static int compare(const struct backup_file *a, const struct backup_file *b)
{
    return a->folder != b->folder ? (int)a->folder - (int)b->folder : strcmp(a->name, b->name);
}

int backup_add(struct backup *b, const struct backup_file *file)
{
    unsigned at = 0;

    if (!is_name(file->name))
        return ERR_ARGUMENT;
    if (b->count == BACKUP_FILES_MAX)
        return ERR_SPACE;
    while (at < b->count && compare(&b->files[at], file) < 0)
        at++;
    if (at < b->count && compare(&b->files[at], file) == 0)
        return ERR_ARGUMENT;
    memmove(&b->files[at + 1], &b->files[at], (b->count - at) * sizeof(*file));
    b->files[at] = *file;
    b->count++;
    return 0;
}

const struct backup_file *backup_find(const struct backup *b, enum backup_folder folder, const char *name)
{
    for (unsigned i = 0; i < b->count; i++)
        if (b->files[i].folder == folder && strcmp(b->files[i].name, name) == 0)
            return &b->files[i];
    return NULL;
}

/* ---- writing ---- */

static void put_text(struct writer *w, const char *text)
{
    size_t len = strlen(text);

    writer_u8(w, (uint8_t)len);
    writer_put(w, text, len);
}

static void put_file(struct writer *w, const struct backup_file *f)
{
    writer_u8(w, (uint8_t)f->folder);
    put_text(w, f->name);
    writer_u32(w, (uint32_t)f->bytes.len);
    writer_put(w, f->bytes.data, f->bytes.len);
}

int backup_encode(const struct backup *b, uint8_t *out, size_t cap, size_t *len)
{
    struct writer w = writer_init(out, cap < BACKUP_MAX ? cap : BACKUP_MAX);
    uint8_t check[KDF_LEN];

    writer_put(&w, VERSION, HEAD_LEN);
    put_text(&w, b->network);
    writer_u64(&w, b->time);
    writer_u8(&w, (uint8_t)b->count);
    for (unsigned i = 0; i < b->count; i++)
        put_file(&w, &b->files[i]);
    const struct slice all = {out, writer_len(&w)};
    int err = kdf_hash(&all, 1, check);
    writer_put(&w, check, sizeof(check));
    *len = writer_len(&w);
    return err ? err : w.bad ? ERR_SPACE : 0;
}

/* ---- reading ---- */

static void take_text(struct reader *r, char *out, size_t size)
{
    size_t len = reader_u8(r);
    const uint8_t *text = len < size ? reader_take(r, len) : NULL;

    if (!text || memchr(text, '\0', len)) {
        r->bad = true;
        return;
    }
    memcpy(out, text, len);
    out[len] = '\0';
}

static void take_file(struct reader *r, struct backup *out)
{
    struct backup_file f = {.folder = (enum backup_folder)reader_u8(r)};

    take_text(r, f.name, sizeof(f.name));
    f.bytes.len = reader_u32(r);
    f.bytes.data = reader_take(r, f.bytes.len);
    if (f.folder < BACKUP_NETWORK || f.folder > BACKUP_LISTS ||
        (out->count && compare(&out->files[out->count - 1], &f) >= 0) || r->bad || backup_add(out, &f))
        r->bad = true;
}

static void take_all(struct reader *r, struct backup *out)
{
    take_text(r, out->network, sizeof(out->network));
    out->time = reader_u64(r);
    for (unsigned count = reader_u8(r); count > 0 && !r->bad; count--)
        take_file(r, out);
    if (reader_left(r) || !cert_label_ok(out->network))
        r->bad = true;
}

static int check(const uint8_t *bytes, size_t len)
{
    const struct slice all = {bytes, len - KDF_LEN};
    uint8_t sum[KDF_LEN];
    int err = kdf_hash(&all, 1, sum);

    return err ? err : memcmp(sum, bytes + all.len, sizeof(sum)) == 0 ? 0 : ERR_MISMATCH;
}

int backup_decode(const uint8_t *bytes, size_t len, struct backup *out)
{
    *out = (struct backup){0};
    if (len < sizeof(KIND) - 1 || memcmp(bytes, KIND, sizeof(KIND) - 1) != 0)
        return ERR_FORMAT;
    if (len < HEAD_LEN || memcmp(bytes, VERSION, HEAD_LEN) != 0)
        return ERR_UNSUPPORTED;
    int err = len < HEAD_LEN + KDF_LEN || len > BACKUP_MAX ? ERR_MISMATCH : check(bytes, len);
    struct reader r = reader_init(bytes + HEAD_LEN, err ? 0 : len - HEAD_LEN - KDF_LEN);
    if (!err)
        take_all(&r, out);
    if (!err && r.bad)
        err = ERR_FORMAT;
    if (err)
        *out = (struct backup){0};
    return err;
}
