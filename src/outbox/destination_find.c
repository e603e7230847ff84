/* Destinations by their names, or all there are. */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "outbox/store.h"

enum spool_status destination_by_name(struct db *db, const char *name,
                                      struct destination *d,
                                      struct spool_error *err)
{
    bool found;
    enum spool_status status = destination_row(
        db, db_query(db, STATEMENT_DESTINATION_BY_NAME, "t", name), &found, d,
        err);
    if (status != SPOOL_OK || found) {
        return status;
    }
    char names[300] = "";
    size_t len = 0;
    sqlite3_stmt *s = db_query(db, STATEMENT_DESTINATIONS, "");
    bool row;
    status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row) {
        if (len + DESTINATION_NAME_SIZE + 2 < sizeof names) {
            len += (size_t)snprintf(names + len, sizeof names - len, " %s",
                                    (const char *)sqlite3_column_text(s, 1));
        }
        status = db_row(db, s, &row, err);
    }
    if (status != SPOOL_OK) {
        return status;
    }
    return failed(err, SPOOL_NOT_FOUND, "there is no destination %s; %s%s",
                  name, len > 0 ? "there are:" : "there is none at all", names);
}

struct search {
    const char *name;
    struct destination *out;
};

static enum spool_status find(struct db *db, void *arg, struct spool_error *err)
{
    struct search *s = arg;
    return destination_by_name(db, s->name, s->out, err);
}

enum spool_status destination_find(struct outbox *box, const char *name,
                                   struct destination *out,
                                   struct spool_error *err)
{
    struct search s = {name, out};
    return outbox_read(box, find, &s, err);
}

struct listing {
    const char *name; /* NULL: all */
    struct destination *all;
    size_t n, room;
};

static struct destination *add_one(struct listing *l)
{
    if (l->n == l->room) {
        size_t room = l->room == 0 ? 4 : l->room * 2;
        struct destination *more = realloc(l->all, room * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        l->all = more;
        l->room = room;
    }
    return &l->all[l->n++];
}

static enum spool_status list_all(struct db *db, struct listing *l,
                                  struct spool_error *err)
{
    sqlite3_stmt *s = db_query(db, STATEMENT_DESTINATIONS, "");
    bool row;
    enum spool_status status = db_row(db, s, &row, err);
    while (status == SPOOL_OK && row) {
        struct destination *d = add_one(l);
        if (d == NULL) {
            (void)sqlite3_reset(s);
            return failed(err, SPOOL_NO_MEMORY, "out of memory");
        }
        destination_read(s, d);
        status = db_row(db, s, &row, err);
    }
    return status;
}

static enum spool_status list(struct db *db, void *arg, struct spool_error *err)
{
    struct listing *l = arg;
    if (l->name == NULL) {
        return list_all(db, l, err);
    }
    struct destination *d = add_one(l);
    return d == NULL ? failed(err, SPOOL_NO_MEMORY, "out of memory")
                     : destination_by_name(db, l->name, d, err);
}

enum spool_status destination_list(struct outbox *box, const char *name,
                                   struct destination **out, size_t *n,
                                   struct spool_error *err)
{
    struct listing l = {.name = name};
    enum spool_status status = outbox_read(box, list, &l, err);
    if (status != SPOOL_OK) {
        free(l.all);
        l = (struct listing){.n = 0};
    }
    *out = l.all;
    *n = l.n;
    return status;
}
