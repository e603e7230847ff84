#include "outbox/toll.h"

#include "outbox/db.h"

#define WRITE_MS 1000

static const char *const cause_names[] = {
    [LIMIT_EVENTS] = "events",
    [LIMIT_BYTES] = "bytes",
    [LIMIT_DISK] = "disk",
};

const char *toll_cause_name(enum limit_cause cause)
{
    return cause_names[cause];
}

void toll_add(struct toll *t, const struct toll_counts *c)
{
    for (int i = 0; i < LIMIT_CAUSES; i++) {
        for (int k = 0; k < OUTBOX_CLASSES; k++) {
            if (c->n[i][k] != 0) {
                (void)atomic_fetch_add(&t->n[i][k], c->n[i][k]);
                atomic_store(&t->any, true);
            }
        }
    }
}

static enum spool_status add(struct db *db, const char *what,
                             enum limit_cause cause, int class, int64_t events,
                             struct spool_error *err)
{
    return events == 0
               ? SPOOL_OK
               : db_run(db, err, STATEMENT_TOLL_ADD, "ttii", what,
                        toll_cause_name(cause), (int64_t) class, events);
}

enum spool_status toll_write(struct db *db, struct toll *t, int64_t mono_ms,
                             struct toll_counts *c, struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    if (!atomic_load(&t->any) || mono_ms - t->written_at < WRITE_MS) {
        return SPOOL_OK;
    }
    atomic_store(&t->any, false);
    t->written_at = mono_ms;
    for (int i = 0; i < LIMIT_CAUSES; i++) {
        for (int k = 0; k < OUTBOX_CLASSES; k++) {
            c->n[i][k] = atomic_exchange(&t->n[i][k], 0);
        }
    }
    for (int i = 0; i < LIMIT_CAUSES; i++) {
        for (int k = 0; status == SPOOL_OK && k < OUTBOX_CLASSES; k++) {
            status =
                add(db, "refused", (enum limit_cause)i, k, c->n[i][k], err);
        }
    }
    return status;
}

enum spool_status toll_shed(struct db *db, enum limit_cause cause,
                            const int64_t by_class[OUTBOX_CLASSES],
                            struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    for (int k = 0; status == SPOOL_OK && k < OUTBOX_CLASSES; k++) {
        status = add(db, "shed", cause, k, by_class[k], err);
    }
    return status;
}

void toll_peek(struct toll *t, int64_t n[LIMIT_CAUSES][OUTBOX_CLASSES])
{
    for (int i = 0; i < LIMIT_CAUSES; i++) {
        for (int k = 0; k < OUTBOX_CLASSES; k++) {
            n[i][k] += atomic_load(&t->n[i][k]);
        }
    }
}
