/* A destination's row: its defaults, read and written. */
#include <string.h>

#include "outbox/store.h"

void destination_default(struct destination *d)
{
    *d = (struct destination){
        .profile = "segmentify",
        .lanes = 1,
        /* The guide names no limit; its browser client sends what gathered
         * in a tenth of a second. */
        .batch_events = 50,
        .batch_bytes = (int64_t)256 * 1024,
        .batch_age_ms = 100,
        .backoff_base_ms = 1000,
        .backoff_cap_ms = (int64_t)10 * 60 * 1000,
        .hold_after = 20,
        .spread_ms = 30000,
    };
}

static const char *const state_names[] = {
    [DESTINATION_RUNNING] = "running",
    [DESTINATION_HELD] = "held",
    [DESTINATION_PAUSED] = "paused",
};

const char *destination_state_name(enum destination_state state)
{
    return state_names[state];
}

static const char *const body_names[] = {
    [BODY_ARRAY] = "array",
    [BODY_OBJECT] = "object",
    [BODY_NDJSON] = "ndjson",
};

const char *destination_body_name(enum destination_body body)
{
    return body_names[body];
}

bool destination_body_find(const char *name, enum destination_body *out)
{
    for (int i = BODY_ARRAY; i <= BODY_NDJSON; i++) {
        if (strcmp(name, body_names[i]) == 0) {
            *out = (enum destination_body)i;
            return true;
        }
    }
    return false;
}

static void read_options(sqlite3_stmt *s, struct destination *d)
{
    char body[16];
    db_copy_text(s, 22, body, sizeof body);
    d->body = BODY_ARRAY;
    (void)destination_body_find(body, &d->body);
    db_copy_text(s, 23, d->success, sizeof d->success);
    db_copy_text(s, 24, d->headers, sizeof d->headers);
    db_copy_text(s, 25, d->header_file, sizeof d->header_file);
    db_copy_text(s, 26, d->ca_file, sizeof d->ca_file);
    db_copy_text(s, 27, d->client_cert, sizeof d->client_cert);
    db_copy_text(s, 28, d->client_key, sizeof d->client_key);
    db_copy_text(s, 29, d->proxy, sizeof d->proxy);
    d->rate = sqlite3_column_int64(s, 30);
    d->spread_ms = sqlite3_column_int64(s, 31);
}

void destination_read(sqlite3_stmt *s, struct destination *d)
{
    char state[16], kind[16];
    d->id = sqlite3_column_int64(s, 0);
    db_copy_text(s, 1, d->name, sizeof d->name);
    db_copy_text(s, 2, d->url, sizeof d->url);
    db_copy_text(s, 3, d->profile, sizeof d->profile);
    db_copy_text(s, 4, d->origin, sizeof d->origin);
    db_copy_text(s, 5, d->api_key_file, sizeof d->api_key_file);
    db_copy_text(s, 6, d->filter, sizeof d->filter);
    d->lanes = sqlite3_column_int(s, 7);
    d->batch_events = sqlite3_column_int(s, 8);
    d->batch_bytes = sqlite3_column_int64(s, 9);
    d->batch_age_ms = sqlite3_column_int64(s, 10);
    d->backoff_base_ms = sqlite3_column_int64(s, 11);
    d->backoff_cap_ms = sqlite3_column_int64(s, 12);
    d->hold_after = sqlite3_column_int(s, 13);
    d->base = sqlite3_column_int64(s, 14);
    db_copy_text(s, 15, state, sizeof state);
    db_copy_text(s, 16, kind, sizeof kind);
    d->state = strcmp(state, "held") == 0     ? DESTINATION_HELD
               : strcmp(state, "paused") == 0 ? DESTINATION_PAUSED
                                              : DESTINATION_RUNNING;
    d->hold_kind = strcmp(kind, "fault") == 0      ? HOLD_FAULT
                   : strcmp(kind, "refusing") == 0 ? HOLD_REFUSING
                                                   : HOLD_NONE;
    db_copy_text(s, 17, d->reason, sizeof d->reason);
    d->since = sqlite3_column_int64(s, 18);
    d->probes = sqlite3_column_int(s, 19);
    d->next_probe_at = sqlite3_column_int64(s, 20);
    d->dead_in_row = sqlite3_column_int(s, 21);
    read_options(s, d);
    d->shed = sqlite3_column_int64(s, 32);
    d->express_to = sqlite3_column_int64(s, 33);
    d->rewound = sqlite3_column_int64(s, 34);
}

enum spool_status destination_row(struct db *db, sqlite3_stmt *s, bool *found,
                                  struct destination *d,
                                  struct spool_error *err)
{
    enum spool_status status = db_row(db, s, found, err);
    if (status == SPOOL_OK && *found) {
        destination_read(s, d);
        (void)sqlite3_reset(s);
    }
    return status;
}

enum spool_status destination_get(struct db *db, int64_t id, bool *found,
                                  struct destination *d,
                                  struct spool_error *err)
{
    return destination_row(
        db, db_query(db, STATEMENT_DESTINATION_BY_ID, "i", id), found, d, err);
}

enum spool_status destination_write_state(struct db *db,
                                          const struct destination *d,
                                          struct spool_error *err)
{
    static const char *const kinds[] = {
        [HOLD_NONE] = NULL,
        [HOLD_FAULT] = "fault",
        [HOLD_REFUSING] = "refusing",
    };
    return db_run(db, err, STATEMENT_DESTINATION_STATE, "itttiiii", d->id,
                  state_names[d->state], kinds[d->hold_kind], d->reason,
                  d->since, (int64_t)d->probes, d->next_probe_at,
                  (int64_t)d->dead_in_row);
}

enum spool_status destination_write_options(struct db *db, int64_t id,
                                            const struct destination *d,
                                            struct spool_error *err)
{
    return db_run(db, err, STATEMENT_DESTINATION_OPTIONS, "ittttttttii", id,
                  body_names[d->body], d->success, d->headers, d->header_file,
                  d->ca_file, d->client_cert, d->client_key, d->proxy, d->rate,
                  d->spread_ms);
}
