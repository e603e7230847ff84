/* An event's life, as seen from here:
 *
 *   outbox_append   a row at the end of the log, on disk
 *   batch_turn      the lane's next rows become a tile, `sending`
 *   batch_turn      the tile is delivered, or waits again, or is cut in two,
 *                   or, alone and refused, is dead
 *   replay, purge   cut tiles out of what is there
 *
 * A row is written once. What becomes of it is said by the tile it lies in, so
 * settling a batch of a thousand events writes one row, and the log needs no
 * index. */
#include "outbox/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "outbox/aside.h"
#include "outbox/fork.h"
#include "outbox/keep.h"
#include "outbox/migrate.h"
#include "outbox/site.h"

static enum spool_status make_store_row(struct db *db, void *arg,
                                        struct spool_error *err)
{
    struct outbox *box = arg;
    char id[UUID_SIZE];
    uuid_v7(&box->rng, outbox_now(box), id);
    return db_run(db, err, STATEMENT_STORE_MAKE, "ti", id, outbox_now(box));
}

static enum spool_status read_store_id(struct db *db, void *arg,
                                       struct spool_error *err)
{
    struct outbox *box = arg;
    sqlite3_stmt *s = db_query(db, STATEMENT_STORE_ID, "");
    bool row;
    enum spool_status status = db_row(db, s, &row, err);
    if (status == SPOOL_OK && row) {
        db_copy_text(s, 0, box->store_id, sizeof box->store_id);
        (void)sqlite3_reset(s);
    }
    return status;
}

static enum spool_status bring_up_to_date(struct outbox *box,
                                          struct spool_error *err)
{
    int version;
    struct db *db = &box->writer.db;
    enum spool_status status = migrate_version(db, &version, err);
    if (status == SPOOL_OK && version == 0) {
        status = guard_new(box->path, err);
    }
    return status == SPOOL_OK ? migrate(db, err) : status;
}

static enum spool_status look_for_any(struct db *db, void *arg,
                                      struct spool_error *err)
{
    int64_t *any = arg;
    enum spool_status status =
        db_number(db, err, 0, any, STATEMENT_DESTINATION_NEXT, "i", (int64_t)0);
    return status == SPOOL_OK && *any == 0
               ? db_number(db, err, 0, any, STATEMENT_LIMIT_GET, "")
               : status;
}

static enum spool_status write_copy(struct db *db, void *arg,
                                    struct spool_error *err)
{
    (void)arg;
    return keep_write(db, err);
}

/* What fails is tried again with the next opening or change. */
static void copy_destinations(struct outbox *box)
{
    int64_t any = 0;
    if (keep_is_missing(box->path) &&
        outbox_read(box, look_for_any, &any, NULL) == SPOOL_OK && any > 0) {
        (void)outbox_write(box, write_copy, NULL, NULL);
    }
}

/* Who reads goes forward through the log, and SQLite forgets all pages whenever
 * somebody else has written: a few that stay in the processor's cache are read
 * faster than many that are got from the system and given back. */
static const char reader_cache[] = "PRAGMA cache_size = -128";

static enum spool_status open_parts(struct outbox *box, int64_t ballast_bytes,
                                    struct spool_error *err)
{
    enum spool_status status =
        writer_open(&box->writer, box->path, ballast_bytes, err);
    if (status == SPOOL_OK) {
        status = bring_up_to_date(box, err);
    }
    if (status == SPOOL_OK) {
        status = site_open(&box->writer.site, box->path, err);
    }
    if (status == SPOOL_OK) {
        status = db_check_in_place(&box->writer.db, err);
    }
    if (status == SPOOL_OK) {
        status = db_open(&box->reader, box->path, err);
    }
    if (status == SPOOL_OK) {
        status = db_exec(&box->reader, reader_cache, err);
    }
    if (status == SPOOL_OK) {
        status = outbox_read(box, read_store_id, box, err);
    }
    if (status == SPOOL_OK && box->store_id[0] == '\0') {
        status = outbox_write(box, make_store_row, box, err);
        if (status == SPOOL_OK) {
            status = outbox_read(box, read_store_id, box, err);
        }
    }
    if (status == SPOOL_OK) {
        status = guard_open(box, err);
    }
    if (status == SPOOL_OK) {
        copy_destinations(box);
        ballast_make(&box->writer.ballast);
    }
    return status;
}

static void close_parts(struct outbox *box)
{
    writer_close(&box->writer);
    db_close(&box->reader);
}

/* A file that SQLite calls damaged is set aside, and the fresh one opened. */
static enum spool_status open_or_set_aside(struct outbox *box,
                                           int64_t ballast_bytes,
                                           struct spool_error *err)
{
    box->inode = aside_inode(box->path);
    enum spool_status status = open_parts(box, ballast_bytes, err);
    bool corrupt = atomic_load(&box->writer.db.corrupt) ||
                   atomic_load(&box->reader.corrupt);
    if (status == SPOOL_DAMAGED && corrupt) {
        close_parts(box);
        status = aside_make(box->path, box->inode, box->clock, err);
        if (status == SPOOL_OK) {
            box->inode = aside_inode(box->path);
            status = open_parts(box, ballast_bytes, err);
        }
    }
    return status;
}

static enum spool_status open_outbox(const struct outbox_options *options,
                                     struct outbox **out,
                                     struct spool_error *err)
{
    struct outbox *box = calloc(1, sizeof *box);
    if (box == NULL) {
        fork_leave();
        return failed(err, SPOOL_NO_MEMORY, "out of memory");
    }
    box->process = getpid();
    box->clock = options->clock != NULL ? options->clock : &clock_system;
    box->filters = options->filters;
    box->class_of = options->class_of;
    for (int c = 0; c < OUTBOX_CLASSES; c++) {
        box->limits.classes[c].share = 100;
    }
    rng_init(&box->rng);
    (void)pthread_mutex_init(&box->read_lock, NULL);
    shed_book_init(&box->shed_book);
    enum spool_status status =
        site_resolve(options->path, options->create, &box->path, err);
    if (status == SPOOL_OK) {
        status = aside_finish(box->path, err);
    }
    if (status == SPOOL_OK) {
        status = guard_empty(box->path, err);
    }
    if (status == SPOOL_OK) {
        status = site_prepare(box->path, options->create, err);
    }
    if (status == SPOOL_OK) {
        status = guard_wal(box->path, err);
    }
    if (status == SPOOL_OK) {
        status = open_or_set_aside(box, options->ballast_bytes, err);
    }
    if (status != SPOOL_OK) {
        outbox_close(box);
        return status;
    }
    *out = box;
    return SPOOL_OK;
}

enum spool_status outbox_open(const struct outbox_options *options,
                              struct outbox **out, struct spool_error *err)
{
    enum spool_status status = fork_enter(err);
    return status == SPOOL_OK ? open_outbox(options, out, err) : status;
}

/* What no commit took along. */
static enum spool_status write_rest(struct db *db, void *arg,
                                    struct spool_error *err)
{
    struct toll_counts written;
    struct shed_notes none = {0}, shed;
    struct outbox *box = arg;
    enum spool_status status =
        toll_write(db, &box->toll, INT64_MAX, &written, err);
    return status == SPOOL_OK
               ? shed_book_write(db, &box->shed_book, outbox_now(box),
                                 INT64_MAX, &none, &shed, err)
               : status;
}

void outbox_close(struct outbox *box)
{
    /* In a child that was forked it is the parent's, locks and marks and all:
     * its memory is left for the end of the process. */
    if (box == NULL || box->process != getpid()) {
        return;
    }
    bool any =
        atomic_load(&box->toll.any) || shed_book_has_any(&box->shed_book);
    if (any && box->writer.db.handle != NULL) {
        (void)outbox_write(box, write_rest, box, NULL);
    }
    close_parts(box);
    shed_book_finish(&box->shed_book);
    (void)pthread_mutex_destroy(&box->read_lock);
    free(box->path);
    free(box);
    fork_leave();
}

const char *outbox_path(const struct outbox *box)
{
    return box->path;
}

const char *outbox_store_id(const struct outbox *box)
{
    return box->store_id;
}

const struct clock *outbox_clock(const struct outbox *box)
{
    return box->clock;
}
