#define _DEFAULT_SOURCE /* usleep */
#include "crash/crowd.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "crash/race.h"
#include "crash/worker.h"

#define WRITERS 4

/* ---- one of the crowd ---- */

static bool is_damage(int rc)
{
    return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
}

/* Writes down how many rows of writer's are acknowledged, where a kill cannot
 * undo it. */
static void acknowledge(int fd, int writer, int64_t rows)
{
    (void)!pwrite(fd, &rows, sizeof rows, (off_t)sizeof rows * writer);
}

static int write_rows(sqlite3 *db, int writer, int acks)
{
    char sql[128];
    int64_t rows = 0;
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO t VALUES (NULL, %d, randomblob(1000))", writer);
    for (;;) {
        int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        if (rc == SQLITE_OK) {
            acknowledge(acks, writer, ++rows);
        } else if (is_damage(rc)) {
            return 0;
        }
    }
}

static int checkpoint(sqlite3 *db)
{
    for (;;) {
        if (is_damage(sqlite3_wal_checkpoint_v2(
                db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL))) {
            return 0;
        }
    }
}

int crowd_play(const char *kind, const char *path, const char *acks)
{
    sqlite3 *db;
    worker_begin();
    int fd = open(acks, O_RDWR | O_CLOEXEC);
    if (fd < 0 || sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_busy_timeout(db, 10000) != SQLITE_OK) {
        return 1;
    }
    bare_run(db, "PRAGMA synchronous = FULL");
    bare_run(db, "PRAGMA wal_autocheckpoint = 2");
    worker_is_at_work();
    return strcmp(kind, "checkpointer") == 0 ? checkpoint(db)
                                             : write_rows(db, atoi(kind), fd);
}

/* ---- the whole ---- */

static bool is_damaged(const char *path, const char *acks)
{
    int64_t told[WRITERS] = {0};
    char sql[64];
    bool damaged = false;
    int fd = open(acks, O_RDONLY | O_CLOEXEC);
    sqlite3 *db;
    if (fd < 0 || read(fd, told, sizeof told) < 0 ||
        sqlite3_open(path, &db) != SQLITE_OK) {
        return false;
    }
    (void)close(fd);
    for (int i = 0; i < WRITERS; i++) {
        (void)snprintf(sql, sizeof sql,
                       "SELECT count(body) FROM t WHERE writer = %d", i);
        damaged = damaged || bare_number(db, sql) < told[i];
    }
    damaged =
        damaged || bare_number(db, "SELECT integrity_check = 'ok' "
                                   "FROM pragma_integrity_check LIMIT 1") != 1;
    (void)sqlite3_close(db);
    return damaged;
}

static void run_for(struct worker *crowd, const char *program, char *path,
                    char *acks, int milliseconds)
{
    char name[256], bare[] = "--bare", kind[16];
    (void)snprintf(name, sizeof name, "%s", program);
    for (int i = 0; i <= WRITERS; i++) {
        char *argv[] = {name, bare, kind, path, acks, NULL};
        (void)snprintf(kind, sizeof kind, "%d", i);
        if (i == WRITERS) {
            (void)snprintf(kind, sizeof kind, "checkpointer");
        }
        worker_start(&crowd[i], argv);
        (void)worker_wait(&crowd[i]);
    }
    (void)usleep((useconds_t)milliseconds * 1000);
    for (int i = 0; i <= WRITERS; i++) {
        (void)worker_kill(&crowd[i]); /* may have met the damage and left */
    }
}

/* A fresh file every second: the race is one of the restarts of the WAL. */
bool crowd_corrupts(const char *program, const char *folder, int seconds)
{
    struct worker crowd[WRITERS + 1];
    char path[128], acks[128];
    bool damaged = false;
    (void)snprintf(acks, sizeof acks, "%s/acks", folder);
    for (int i = 0; i < seconds && !damaged; i++) {
        (void)snprintf(path, sizeof path, "%s/bare%d.db", folder, i);
        int fd = open(acks, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || close(fd) != 0) {
            perror(acks);
            exit(1);
        }
        sqlite3 *db = bare_open(path);
        bare_run(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, writer, body)");
        (void)sqlite3_close(db);
        run_for(crowd, program, path, acks, 1000);
        damaged = is_damaged(path, acks);
        (void)unlink(path);
    }
    return damaged;
}
