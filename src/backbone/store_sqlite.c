/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations in SQLite. Whatever SQLite refuses (a full disk, a damaged file) becomes one log line a
 * minute and ERR_IO; the next call tries again, so a disk that was full heals by itself. */

#include "backbone/store_sqlite.h"

#include "base/clock.h"
#include "base/log.h"
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_VERSION    1
#define LOG_INTERVAL_US   (60 * USEC_PER_SEC)
#define JOURNAL_MAX_BYTES "4194304"

/* The exclusive lock keeps a second backbone out and saves the shared-memory file. */
static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
                              "PRAGMA journal_mode = WAL;"
                              "PRAGMA synchronous = NORMAL;"
                              "PRAGMA temp_store = MEMORY;" /* files of its own stay in the data folder */
                              "PRAGMA journal_size_limit = " JOURNAL_MAX_BYTES ";"
                              "PRAGMA trusted_schema = OFF;";

static const char schema[] = "CREATE TABLE nodes ("
                             " id BLOB PRIMARY KEY NOT NULL,"
                             " seq INTEGER NOT NULL,"
                             " expiry_s INTEGER NOT NULL,"
                             " is_public INTEGER NOT NULL,"
                             " name TEXT NOT NULL,"
                             " network TEXT NOT NULL,"
                             " record BLOB NOT NULL,"
                             " signature BLOB NOT NULL) STRICT;"
                             "CREATE INDEX nodes_expiry ON nodes (expiry_s);"
                             "CREATE INDEX nodes_network ON nodes (network, id) WHERE network <> '';"
                             "CREATE INDEX nodes_public ON nodes (id) WHERE is_public;";

#define COLUMNS "id, seq, expiry_s, is_public, name, network, record, signature"
#define SUMMARY "id, seq, expiry_s, is_public, name, network, NULL, NULL"

enum statement {
    STATEMENT_PUT,
    STATEMENT_SEQ,
    STATEMENT_GET,
    STATEMENT_LIST_PUBLIC,
    STATEMENT_LIST_NETWORK,
    STATEMENT_COUNT,
    STATEMENT_PRUNE,
    STATEMENTS
};

static const char *const statement_text[STATEMENTS] = {
    [STATEMENT_PUT] = "INSERT INTO nodes (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                      " ON CONFLICT (id) DO UPDATE SET seq = ?2, expiry_s = ?3, is_public = ?4, name = ?5,"
                      " network = ?6, record = ?7, signature = ?8 WHERE seq < ?2",
    [STATEMENT_SEQ] = "SELECT seq FROM nodes WHERE id = ?1",
    [STATEMENT_GET] = "SELECT " COLUMNS " FROM nodes WHERE id = ?1 AND expiry_s > ?2",
    [STATEMENT_LIST_PUBLIC] = "SELECT " SUMMARY " FROM nodes WHERE is_public AND id > ?1 AND expiry_s > ?2"
                              " ORDER BY id LIMIT ?3",
    [STATEMENT_LIST_NETWORK] =
        "SELECT " COLUMNS " FROM nodes WHERE network <> '' AND network = ?4 AND id > ?1"
        " AND expiry_s > ?2 ORDER BY id LIMIT ?3",
    [STATEMENT_COUNT] = "SELECT count(*) FROM nodes WHERE expiry_s > ?1",
    [STATEMENT_PRUNE] = "DELETE FROM nodes WHERE rowid IN"
                        " (SELECT rowid FROM nodes WHERE expiry_s < ?1 LIMIT ?2)",
};

struct store_sqlite {
    struct store store;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    uint64_t entries, max_entries; /* entries: expired ones that were not pruned yet included */
    struct log_limit log_limit;
};

static struct store_sqlite *sqlite_of(struct store *s)
{
    return (struct store_sqlite *)s;
}

static const char *remedy_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ": make room on the disk";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ": stop, move backbone.db away and start again; nodes register anew by themselves";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return ": check the permissions of the data directory";
    }
    return "";
}

static int failed(struct store_sqlite *s, const char *what)
{
    uint64_t suppressed;
    if (log_limit_pass(&s->log_limit, clock_monotonic_us(), LOG_INTERVAL_US, &suppressed))
        log_error("cannot %s the database: %s%s", what, sqlite3_errmsg(s->db),
                  remedy_of(sqlite3_errcode(s->db)));
    return ERR_IO;
}

/* Ends a statement's transaction and drops what was bound to it. */
static void rewind_statement(sqlite3_stmt *q)
{
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
}

static void bind_id(sqlite3_stmt *q, int at, const struct node_id *id)
{
    sqlite3_bind_blob(q, at, id ? id->bytes : (const void *)"", id ? ID_LEN : 0, SQLITE_TRANSIENT);
}

static void bind_entry(sqlite3_stmt *q, const struct store_entry *e)
{
    bind_id(q, 1, &e->id);
    sqlite3_bind_int64(q, 2, (sqlite3_int64)e->seq);
    sqlite3_bind_int64(q, 3, (sqlite3_int64)e->expiry_s);
    sqlite3_bind_int(q, 4, e->is_public);
    sqlite3_bind_text(q, 5, e->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 6, e->network, -1, SQLITE_STATIC);
    sqlite3_bind_blob(q, 7, e->record.data, (int)e->record.len, SQLITE_STATIC);
    sqlite3_bind_blob(q, 8, e->signature.data, (int)e->signature.len, SQLITE_STATIC);
}

static struct slice column_slice(sqlite3_stmt *q, int column)
{
    const void *data = sqlite3_column_blob(q, column);
    return (struct slice){data, data ? (size_t)sqlite3_column_bytes(q, column) : 0};
}

static void column_text(sqlite3_stmt *q, int column, char *out, size_t cap)
{
    const unsigned char *text = sqlite3_column_text(q, column);
    snprintf(out, cap, "%s", text ? (const char *)text : "");
}

static void read_entry(sqlite3_stmt *q, struct store_entry *e)
{
    struct slice id = column_slice(q, 0);
    *e = (struct store_entry){.seq = (uint64_t)sqlite3_column_int64(q, 1),
                              .expiry_s = (uint64_t)sqlite3_column_int64(q, 2),
                              .is_public = sqlite3_column_int(q, 3) != 0,
                              .record = column_slice(q, 6),
                              .signature = column_slice(q, 7)};
    if (id.len == ID_LEN)
        memcpy(e->id.bytes, id.data, ID_LEN);
    column_text(q, 4, e->name, sizeof(e->name));
    column_text(q, 5, e->network, sizeof(e->network));
}

/* ERR_NOT_FOUND, or 0 and the seq of whatever is stored under id, expired or not. */
static int stored_seq_of(struct store_sqlite *s, const struct node_id *id, uint64_t *out)
{
    sqlite3_stmt *q = s->statements[STATEMENT_SEQ];
    bind_id(q, 1, id);
    int step = sqlite3_step(q), ret = ERR_NOT_FOUND;
    if (step == SQLITE_ROW) {
        *out = (uint64_t)sqlite3_column_int64(q, 0);
        ret = 0;
    } else if (step != SQLITE_DONE) {
        ret = failed(s, "read");
    }
    rewind_statement(q);
    return ret;
}

static int put(struct store_sqlite *s, const struct store_entry *entry, uint64_t *stored_seq)
{
    int known = stored_seq_of(s, &entry->id, stored_seq);
    if (known == ERR_IO)
        return ERR_IO;
    if (known == 0 && *stored_seq >= entry->seq)
        return ERR_EXISTS;
    if (known == ERR_NOT_FOUND && s->entries >= s->max_entries)
        return ERR_SPACE;
    sqlite3_stmt *q = s->statements[STATEMENT_PUT];
    bind_entry(q, entry);
    int ret = sqlite3_step(q) == SQLITE_DONE ? 0 : failed(s, "write to");
    rewind_statement(q);
    if (ret == 0 && known == ERR_NOT_FOUND)
        s->entries++;
    return ret;
}

static void sqlite_put(struct store *store, const struct store_entry *entry, uint64_t now_s, store_done *done,
                       void *context)
{
    uint64_t stored_seq = 0;
    (void)now_s;
    int err = put(sqlite_of(store), entry, &stored_seq);
    done(context, err, stored_seq);
}

static int visit_rows(struct store_sqlite *s, sqlite3_stmt *q, store_visit *visit, void *context)
{
    int step, rows = 0;
    bool more = true;
    while (more && (step = sqlite3_step(q)) == SQLITE_ROW) {
        struct store_entry e;
        read_entry(q, &e);
        more = visit(context, &e);
        rows++;
    }
    int ret = !more || step == SQLITE_DONE ? rows : failed(s, "read");
    rewind_statement(q);
    return ret;
}

static void sqlite_get(struct store *store, const struct node_id *id, uint64_t now_s, store_visit *visit,
                       store_done *done, void *context)
{
    struct store_sqlite *s = sqlite_of(store);
    sqlite3_stmt *q = s->statements[STATEMENT_GET];
    bind_id(q, 1, id);
    sqlite3_bind_int64(q, 2, (sqlite3_int64)now_s);
    int rows = visit_rows(s, q, visit, context);
    done(context, rows == 0 ? ERR_NOT_FOUND : rows < 0 ? rows : 0, 0);
}

static void sqlite_list(struct store *store, const struct store_query *query, store_visit *visit,
                        store_done *done, void *context)
{
    struct store_sqlite *s = sqlite_of(store);
    sqlite3_stmt *q = s->statements[query->network ? STATEMENT_LIST_NETWORK : STATEMENT_LIST_PUBLIC];
    bind_id(q, 1, query->after);
    sqlite3_bind_int64(q, 2, (sqlite3_int64)query->now_s);
    sqlite3_bind_int64(q, 3, query->limit);
    if (query->network)
        sqlite3_bind_text(q, 4, query->network, -1, SQLITE_STATIC);
    int rows = visit_rows(s, q, visit, context);
    done(context, rows < 0 ? rows : 0, 0);
}

static void sqlite_count(struct store *store, uint64_t now_s, store_done *done, void *context)
{
    struct store_sqlite *s = sqlite_of(store);
    sqlite3_stmt *q = s->statements[STATEMENT_COUNT];
    sqlite3_bind_int64(q, 1, (sqlite3_int64)now_s);
    int err = sqlite3_step(q) == SQLITE_ROW ? 0 : failed(s, "read");
    uint64_t count = err ? 0 : (uint64_t)sqlite3_column_int64(q, 0);
    rewind_statement(q);
    done(context, err, count);
}

static void sqlite_prune(struct store *store, uint64_t before_s, store_done *done, void *context)
{
    struct store_sqlite *s = sqlite_of(store);
    sqlite3_stmt *q = s->statements[STATEMENT_PRUNE];
    sqlite3_bind_int64(q, 1, (sqlite3_int64)before_s);
    sqlite3_bind_int(q, 2, STORE_PRUNE_MAX);
    int err = sqlite3_step(q) == SQLITE_DONE ? 0 : failed(s, "prune");
    uint64_t count = err ? 0 : (uint64_t)sqlite3_changes(s->db);
    s->entries -= count;
    rewind_statement(q);
    done(context, err, count);
}

static void sqlite_close(struct store *store)
{
    struct store_sqlite *s = sqlite_of(store);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->db);
    free(s);
}

static const struct store_ops sqlite_ops = {
    .put = sqlite_put,
    .get = sqlite_get,
    .list = sqlite_list,
    .count = sqlite_count,
    .prune = sqlite_prune,
    .close = sqlite_close,
};

static int read_number(struct store_sqlite *s, const char *sql, uint64_t *out)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(q)) == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* Everything that is done once to a database: SQLITE_OK, an error of SQLite's, or SQLITE_SCHEMA for a version
 * that is not ours. */
static int prepare_database(struct store_sqlite *s)
{
    uint64_t version = 0;
    int code = sqlite3_exec(s->db, pragmas, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = read_number(s, "PRAGMA user_version", &version);
    if (code == SQLITE_OK && version == 0) {
        char sql[sizeof(schema) + 128];
        snprintf(sql, sizeof(sql), "BEGIN; %s PRAGMA user_version = %d; COMMIT", schema, SCHEMA_VERSION);
        code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    } else if (code == SQLITE_OK && version != SCHEMA_VERSION) {
        return SQLITE_SCHEMA;
    }
    for (int i = 0; code == SQLITE_OK && i < STATEMENTS; i++)
        code = sqlite3_prepare_v3(s->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i],
                                  NULL);
    if (code == SQLITE_OK)
        code = read_number(s, "SELECT count(*) FROM nodes", &s->entries);
    return code;
}

static int explain(struct store_sqlite *s, const char *path, int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
        log_error(
            "%s is in use by another process: give each shadowmesh-backbone a -data directory of its own",
            path);
        return ERR_BUSY;
    case SQLITE_SCHEMA:
        log_error(
            "%s was written by another version of shadowmesh-backbone: move it away or give another -data "
            "directory",
            path);
        return ERR_FORMAT;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        log_error("%s is damaged (%s): move it away; nodes register anew by themselves", path,
                  sqlite3_errmsg(s->db));
        return ERR_FORMAT;
    }
    log_error("cannot open %s: %s%s", path, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code),
              remedy_of(code));
    return code == SQLITE_NOMEM ? ERR_NOMEM : ERR_IO;
}

int store_sqlite_open(const char *path, uint64_t max_entries, struct store **out)
{
    struct store_sqlite *s = calloc(1, sizeof(*s));
    if (!s)
        return ERR_NOMEM;
    s->store.ops = &sqlite_ops;
    s->max_entries = max_entries;
    int code = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (code == SQLITE_OK)
        code = prepare_database(s);
    if (code != SQLITE_OK) {
        int ret = explain(s, path, code);
        sqlite_close(&s->store);
        return ret;
    }
    *out = &s->store;
    return 0;
}
