#include "crash/first_release.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "outbox/migrate.h"

static const char *const schema_sql =
    "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema"
    " WHERE name LIKE 'spool%' AND sql NOT NULL ORDER BY type, name)";

static void fail(sqlite3 *db, const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
    exit(1);
}

static sqlite3 *open_file(const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        fail(db, path);
    }
    return db;
}

static void exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail(db, sql);
    }
}

/* The one value of a query, "" when there is none or the file is damaged. */
static void ask(sqlite3 *db, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *st = NULL;
    out[0] = '\0';
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0) != NULL) {
        (void)snprintf(out, size, "%s",
                       (const char *)sqlite3_column_text(st, 0));
    }
    (void)sqlite3_finalize(st);
}

static long ask_number(sqlite3 *db, const char *sql)
{
    char text[32];
    ask(db, sql, text, sizeof text);
    return text[0] != '\0' ? strtol(text, NULL, 10) : -1;
}

static void suffixed(char out[128], const char *path, const char *suffix)
{
    (void)snprintf(out, 128, "%.100s%s", path, suffix);
}

/* The rows of a table, in the columns that it had then. */
static void copy_table(sqlite3 *db, const char *table)
{
    char sql[256], columns[2048], copy[4608];
    (void)snprintf(sql, sizeof sql,
                   "SELECT group_concat(name) FROM pragma_table_info('%s')",
                   table);
    ask(db, sql, columns, sizeof columns);
    (void)snprintf(copy, sizeof copy,
                   "INSERT INTO main.%s (%s) SELECT %s FROM today.%s", table,
                   columns, columns, table);
    exec(db, copy);
}

static void copy_tables(sqlite3 *db)
{
    static const char *const tables[] = {
        "spool_store",   "spool_event", "spool_destination", "spool_lane",
        "spool_batch",   "spool_hold",  "spool_key",         "spool_order",
        "spool_attempt", "spool_audit"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        copy_table(db, tables[i]);
    }
}

static void remove_side(const char *path, const char *suffix)
{
    char name[128];
    suffixed(name, path, suffix);
    (void)unlink(name);
}

void first_release_make(const char *path, struct first_release *f)
{
    char today[128], attach[192];
    suffixed(today, path, ".today");
    if (migrations[0].version != 1) {
        (void)fputs("there is no version 1\n", stderr);
        exit(1);
    }
    sqlite3 *db = open_file(path);
    ask(db, schema_sql, f->new, sizeof f->new);
    exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    (void)sqlite3_close(db);
    remove_side(path, "-mark");
    if (rename(path, today) != 0) {
        perror(path);
        exit(1);
    }
    db = open_file(path);
    (void)snprintf(attach, sizeof attach, "ATTACH '%s' AS today", today);
    exec(db, "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;"
             "PRAGMA journal_mode = WAL");
    exec(db, attach);
    exec(db, "BEGIN");
    exec(db, migrations[0].sql);
    copy_tables(db);
    exec(db, "PRAGMA main.user_version = 1;"
             "PRAGMA main.application_id = 1936748396; COMMIT; DETACH today");
    ask(db, schema_sql, f->old, sizeof f->old);
    f->events = ask_number(db, "SELECT count(*) FROM spool_event");
    (void)sqlite3_close(db);
    (void)unlink(today);
    (void)chmod(path, 0600);
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    ssize_t n = 0;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (in >= 0 && (n = read(in, bytes, sizeof bytes)) > 0) {
        if (write(out, bytes, (size_t)n) != n) {
            perror(to);
            exit(1);
        }
    }
    if (in >= 0) {
        (void)close(in);
    }
    (void)close(out);
}

int first_release_version(const char *path, const struct first_release *f)
{
    static char schema[FIRST_SCHEMA_SIZE];
    char copy[128], wal[128], copy_wal[128], whole[64];
    suffixed(copy, path, ".copy");
    suffixed(wal, path, "-wal");
    suffixed(copy_wal, copy, "-wal");
    copy_file(path, copy);
    copy_file(wal, copy_wal);
    sqlite3 *db = open_file(copy);
    long version = ask_number(db, "PRAGMA user_version");
    long events = ask_number(db, "SELECT count(*) FROM spool_event");
    ask(db, schema_sql, schema, sizeof schema);
    ask(db, "PRAGMA integrity_check", whole, sizeof whole);
    (void)sqlite3_close(db);
    remove_side(copy, "-wal");
    remove_side(copy, "-shm");
    (void)unlink(copy);
    bool same = (version == 1 && strcmp(schema, f->old) == 0) ||
                (version == migrate_newest() && strcmp(schema, f->new) == 0);
    return same && events == f->events && strcmp(whole, "ok") == 0
               ? (int)version
               : 0;
}

void first_release_upgrade_carelessly(const char *path)
{
    char stamp[64];
    sqlite3 *db = open_file(path);
    exec(db, "PRAGMA synchronous = FULL");
    for (const struct migration *m = migrations; m->version > 0; m++) {
        if (m->version > 1) {
            exec(db, m->sql);
        }
    }
    (void)snprintf(stamp, sizeof stamp, "PRAGMA user_version = %d",
                   migrate_newest());
    exec(db, stamp);
    (void)sqlite3_close(db);
}
