#include "bench.h"

#include <stdio.h>

#include <curl/curl.h>
#include <sqlite3.h>

double baseline_insert(const char *path, const char *event, size_t len,
                       size_t n, size_t per_commit)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    bench_must(sqlite3_open(path, &db) == SQLITE_OK, "a database");
    bench_must(
        sqlite3_exec(db,
                     "PRAGMA page_size = 8192; PRAGMA auto_vacuum = "
                     "INCREMENTAL; PRAGMA wal_autocheckpoint = 500;"
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "PRAGMA cache_spill = OFF; PRAGMA cache_size = -4096;"
                     "CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)",
                     NULL, NULL, NULL) == SQLITE_OK,
        "a table");
    bench_must(sqlite3_prepare_v2(db, "INSERT INTO t (body) VALUES (?1)", -1,
                                  &s, NULL) == SQLITE_OK,
               "an insert");
    double start = bench_now();
    for (size_t i = 0; i < n; i++) {
        if (i % per_commit == 0) {
            bench_must(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) ==
                           SQLITE_OK,
                       "BEGIN");
        }
        (void)sqlite3_bind_blob64(s, 1, event, len, SQLITE_STATIC);
        bench_must(sqlite3_step(s) == SQLITE_DONE, "INSERT");
        (void)sqlite3_reset(s);
        if (i % per_commit == per_commit - 1 || i == n - 1) {
            bench_must(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) ==
                           SQLITE_OK,
                       "COMMIT");
        }
    }
    double seconds = bench_now() - start;
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    return (double)n / seconds;
}

static size_t swallow(char *bytes, size_t size, size_t n, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * n;
}

double baseline_post(int port, const char *body, size_t len, size_t n)
{
    char url[64];
    CURL *curl = curl_easy_init();
    (void)snprintf(url, sizeof url,
                   "http://127.0.0.1:%d/add/events/v1.json?apiKey=K", port);
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    bench_must(curl != NULL && headers != NULL, "a curl handle");
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, swallow);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    double start = bench_now();
    for (size_t i = 0; i < n; i++) {
        bench_must(curl_easy_perform(curl) == CURLE_OK, "a post");
    }
    double seconds = bench_now() - start;
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return (double)n / seconds;
}
