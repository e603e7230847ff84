/* What gave way at limits, until it stands in the audit log. Where a class may
 * be shed each put takes one event out, and a line for each would take the room
 * that was made, for ever. So it is one line a limit, which says how many and
 * between which ids: the first at once, then about once a minute, by and by
 * once an hour while it goes on, and what is left when the outbox is closed.
 *
 * What a process that was killed had not written is missing in the audit log
 * alone: spool_toll counts it and spool_shed has its ids. */
#ifndef OUTBOX_SHED_BOOK_H
#define OUTBOX_SHED_BOOK_H

#include <pthread.h>
#include <stdint.h>

#include "outbox/outbox.h"
#include "spool/error.h"

struct db;

struct shed_note {
    int64_t events; /* 0: none */
    int64_t lo, hi; /* the first and the last of them */
};

struct shed_notes {
    struct shed_note of[LIMIT_CAUSES];
};

struct shed_book {
    pthread_mutex_t lock;    /* over notes */
    struct shed_notes notes; /* committed, and in no line yet */
    int64_t written_at;      /* monotonic ms; jobs' own */
    int64_t every_ms;        /* likewise */
};

void shed_note_add(struct shed_note *to, const struct shed_note *note);

void shed_book_init(struct shed_book *b);
void shed_book_finish(struct shed_book *b);

/* Any thread. */
void shed_book_add(struct shed_book *b, const struct shed_notes *notes);
bool shed_book_has_any(struct shed_book *b);

/* For a job: writes what has gathered and *own, what the job itself has shed,
 * if that is due. Then *own is zeroed, and *written is what had gathered, to be
 * added again should the transaction fail. */
enum spool_status shed_book_write(struct db *db, struct shed_book *b,
                                  int64_t now, int64_t mono_ms,
                                  struct shed_notes *own,
                                  struct shed_notes *written,
                                  struct spool_error *err);

#endif
