/* What is inside an outbox, and how the other files of this layer read and
 * write through it. */
#ifndef OUTBOX_STORE_H
#define OUTBOX_STORE_H

#include <pthread.h>
#include <sys/types.h>

#include "base/random.h"
#include "outbox/audit.h"
#include "outbox/destination.h"
#include "outbox/guard.h"
#include "outbox/limits.h"
#include "outbox/outbox.h"
#include "outbox/row.h"
#include "outbox/shed_book.h"
#include "outbox/toll.h"
#include "outbox/writer.h"

/* How far the log was looked through for events of up to a class that may be
 * shed, since when and by which limits. */
struct shed_round {
    int64_t to, begun_at, version;
};

/* What a round of retention does, one after the other. */
enum retain_phase { RETAIN_EVENTS, RETAIN_TILES, RETAIN_KEYS, RETAIN_PAGES };

/* Where it stands: what comes next, and of the tiles from which on. */
struct retain_round {
    enum retain_phase phase;
    int64_t destination, lane, lo;
};

/* When retention last went through the log for room and found none. */
struct vain_round {
    bool ended;
    int64_t at, cursors;
};

struct outbox {
    char *path;
    char store_id[UUID_SIZE];
    unsigned long long inode; /* of the file that is open */
    pid_t process;            /* that opened it */
    const struct clock *clock;
    struct outbox_filters filters;
    struct writer writer;
    struct limits limits;   /* as a job read them last */
    int64_t limits_version; /* likewise */
    struct toll toll;
    struct shed_book shed_book;
    int (*class_of)(const char *body, size_t len);
    struct shed_round shed[OUTBOX_CLASSES]; /* jobs' own */
    int64_t not_recovered; /* up to here recover may put events back yet, as was
                              found last; 0: it is through; jobs' own */
    int64_t retained_to;   /* retention has looked up to this id; likewise */
    struct retain_round round; /* likewise */
    struct vain_round vain;    /* likewise */
    bool retained_any; /* rows went since its last round ended; likewise */
    pthread_mutex_t read_lock; /* over reader */
    struct db reader;
    struct rng rng;
    struct guard guard; /* what was found when it was opened */
};

/* The generator for keys; jobs run one at a time, so one is enough for them. */
static inline int64_t outbox_now(const struct outbox *box)
{
    return clock_wall_ms(box->clock);
}

/* Runs read inside one short snapshot. */
enum spool_status outbox_read(struct outbox *box,
                              enum spool_status (*read)(struct db *, void *,
                                                        struct spool_error *),
                              void *arg, struct spool_error *err);

enum spool_status outbox_write(struct outbox *box,
                               enum spool_status (*write)(struct db *, void *,
                                                          struct spool_error *),
                               void *arg, struct spool_error *err);

/* Likewise, also on a full disk (writer_record): write may be called twice. */
enum spool_status outbox_record(
    struct outbox *box,
    enum spool_status (*write)(struct db *, void *, struct spool_error *),
    void *arg, struct spool_error *err);

/* Likewise, and it need not be on disk when this returns (writer_tidy). */
enum spool_status outbox_tidy(struct outbox *box,
                              enum spool_status (*write)(struct db *, void *,
                                                         struct spool_error *),
                              void *arg, struct spool_error *err);

/* The columns of the AUDIT statements, the chain the eighth; borrowed until the
 * next step. */
void audit_read(sqlite3_stmt *s, struct audit_record *r);

/* The columns of the DESTINATION statements. */
void destination_read(sqlite3_stmt *s, struct destination *d);
enum spool_status destination_row(struct db *db, sqlite3_stmt *s, bool *found,
                                  struct destination *d,
                                  struct spool_error *err);
enum spool_status destination_get(struct db *db, int64_t id, bool *found,
                                  struct destination *d,
                                  struct spool_error *err);

/* SPOOL_NOT_FOUND names the destinations there are. */
enum spool_status destination_by_name(struct db *db, const char *name,
                                      struct destination *d,
                                      struct spool_error *err);

/* Writes state, hold_kind, reason, since, probes, next_probe_at, dead_in_row.
 */
enum spool_status destination_write_state(struct db *db,
                                          const struct destination *d,
                                          struct spool_error *err);

/* Writes everything from body to spread_ms. */
enum spool_status destination_write_options(struct db *db, int64_t id,
                                            const struct destination *d,
                                            struct spool_error *err);

#endif
