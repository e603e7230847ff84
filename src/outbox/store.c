#include "outbox/store.h"

#include <unistd.h>

#include "base/error.h"
#include "outbox/aside.h"
#include "outbox/migrate.h"

/* Locks on the file are a process's own, and a child that is forked takes over
 * none of them, though its memory says that it has them. */
static enum spool_status check_process(const struct outbox *box,
                                       struct spool_error *err)
{
    if (getpid() == box->process) {
        return SPOOL_OK;
    }
    return failed(err, SPOOL_MISUSE,
                  "%s was opened by process %ld, of which this one is a fork; "
                  "fork first and open then, or exec",
                  box->path, (long)box->process);
}

/* A table or a column that our statements name is not there, in a file of the
 * version that has it: what is stored of the schema is damaged, though SQLite
 * can read it. (A newer program may have made the file newer meanwhile.) */
static enum spool_status check_schema(struct outbox *box, struct db *db,
                                      enum spool_status status,
                                      struct spool_error *err)
{
    int version = 0;
    if (status != SPOOL_IO || !atomic_load(&db->misfit)) {
        return status;
    }
    (void)pthread_mutex_lock(&box->read_lock);
    enum spool_status known = migrate_version(&box->reader, &version, NULL);
    (void)pthread_mutex_unlock(&box->read_lock);
    if (known != SPOOL_OK || version != migrate_newest()) {
        return status;
    }
    return migrate_damaged(db, err);
}

enum spool_status outbox_read(struct outbox *box,
                              enum spool_status (*read)(struct db *, void *,
                                                        struct spool_error *),
                              void *arg, struct spool_error *err)
{
    enum spool_status status = check_process(box, err);
    if (status != SPOOL_OK) {
        return status;
    }
    (void)pthread_mutex_lock(&box->read_lock);
    status = db_begin_read(&box->reader, err);
    if (status == SPOOL_OK) {
        status = read(&box->reader, arg, err);
        db_rollback(&box->reader);
    }
    (void)pthread_mutex_unlock(&box->read_lock);
    return check_schema(box, &box->reader, status, err);
}

/* What a write led to; an outbox that turned out to be damaged is set aside. A
 * commit can fail so as well: it stays unknown, and the rows that it may have
 * written are put back with the others. */
static enum spool_status written(struct outbox *box, enum spool_status status,
                                 struct spool_error *err)
{
    status = check_schema(box, &box->writer.db, status, err);
    bool failed_so = status == SPOOL_DAMAGED || status == SPOOL_UNKNOWN;
    if (failed_so && atomic_load(&box->writer.db.corrupt) &&
        aside_make(box->path, box->inode, box->clock, NULL) == SPOOL_OK &&
        status == SPOOL_DAMAGED) {
        return failed(err, SPOOL_MOVED,
                      "%s was damaged and has been set aside; nothing was "
                      "stored, open the spool again to go on with a fresh one "
                      "and run spoolctl recover to get the old events back",
                      box->path);
    }
    return status;
}

enum spool_status outbox_write(struct outbox *box,
                               enum spool_status (*write)(struct db *, void *,
                                                          struct spool_error *),
                               void *arg, struct spool_error *err)
{
    enum spool_status status = check_process(box, err);
    if (status == SPOOL_OK) {
        status = written(box, writer_run(&box->writer, write, arg, err), err);
    }
    return status;
}

enum spool_status outbox_record(
    struct outbox *box,
    enum spool_status (*write)(struct db *, void *, struct spool_error *),
    void *arg, struct spool_error *err)
{
    enum spool_status status = check_process(box, err);
    if (status == SPOOL_OK) {
        status =
            written(box, writer_record(&box->writer, write, arg, err), err);
    }
    return status;
}

enum spool_status outbox_tidy(struct outbox *box,
                              enum spool_status (*write)(struct db *, void *,
                                                         struct spool_error *),
                              void *arg, struct spool_error *err)
{
    enum spool_status status = check_process(box, err);
    if (status == SPOOL_OK) {
        status = written(box, writer_tidy(&box->writer, write, arg, err), err);
    }
    return status;
}
