#include "outbox/shed_book.h"

#include <stdio.h>

#include "outbox/store.h"

#define SOON_MS ((int64_t)60 * 1000)
#define LATE_MS ((int64_t)3600 * 1000)

void shed_note_add(struct shed_note *to, const struct shed_note *note)
{
    if (note->events == 0) {
        return;
    }
    if (to->events == 0) {
        *to = *note;
        return;
    }
    to->events += note->events;
    to->lo = note->lo < to->lo ? note->lo : to->lo;
    to->hi = note->hi > to->hi ? note->hi : to->hi;
}

static void add_all(struct shed_notes *to, const struct shed_notes *notes)
{
    for (int i = 0; i < LIMIT_CAUSES; i++) {
        shed_note_add(&to->of[i], &notes->of[i]);
    }
}

static bool has_any(const struct shed_notes *notes)
{
    bool any = false;
    for (int i = 0; i < LIMIT_CAUSES; i++) {
        any = any || notes->of[i].events > 0;
    }
    return any;
}

void shed_book_init(struct shed_book *b)
{
    *b = (struct shed_book){0};
    (void)pthread_mutex_init(&b->lock, NULL);
}

void shed_book_finish(struct shed_book *b)
{
    (void)pthread_mutex_destroy(&b->lock);
}

void shed_book_add(struct shed_book *b, const struct shed_notes *notes)
{
    if (has_any(notes)) {
        (void)pthread_mutex_lock(&b->lock);
        add_all(&b->notes, notes);
        (void)pthread_mutex_unlock(&b->lock);
    }
}

bool shed_book_has_any(struct shed_book *b)
{
    (void)pthread_mutex_lock(&b->lock);
    bool any = has_any(&b->notes);
    (void)pthread_mutex_unlock(&b->lock);
    return any;
}

static enum spool_status write_line(struct db *db, int64_t now,
                                    enum limit_cause cause,
                                    const struct shed_note *n,
                                    struct spool_error *err)
{
    char ids[64], detail[128];
    if (n->lo == n->hi) {
        (void)snprintf(ids, sizeof ids, "%lld", (long long)n->lo);
    } else {
        (void)snprintf(ids, sizeof ids, "%s%lld to %lld",
                       n->events <= n->hi - n->lo ? "some of " : "",
                       (long long)n->lo, (long long)n->hi);
    }
    (void)snprintf(detail, sizeof detail, "%s, gave way at the limit of %s",
                   ids, toll_cause_name(cause));
    return audit(db, now, "shed", NULL, n->events, detail, err);
}

/* While it goes on, however slowly, each line is twice as long in coming as the
 * one before. */
static void count_on(struct shed_book *b, int64_t mono_ms)
{
    bool goes_on = mono_ms - b->written_at < 2 * LATE_MS;
    int64_t ms = goes_on ? 2 * b->every_ms : 0;
    ms = ms > SOON_MS ? ms : SOON_MS;
    b->every_ms = ms < LATE_MS ? ms : LATE_MS;
    b->written_at = mono_ms;
}

enum spool_status shed_book_write(struct db *db, struct shed_book *b,
                                  int64_t now, int64_t mono_ms,
                                  struct shed_notes *own,
                                  struct shed_notes *written,
                                  struct spool_error *err)
{
    enum spool_status status = SPOOL_OK;
    if (mono_ms - b->written_at < b->every_ms ||
        (!has_any(own) && !shed_book_has_any(b))) {
        return SPOOL_OK;
    }
    count_on(b, mono_ms);
    (void)pthread_mutex_lock(&b->lock);
    *written = b->notes;
    b->notes = (struct shed_notes){0};
    (void)pthread_mutex_unlock(&b->lock);
    add_all(own, written);
    for (int i = 0; status == SPOOL_OK && i < LIMIT_CAUSES; i++) {
        if (own->of[i].events > 0) {
            status = write_line(db, now, (enum limit_cause)i, &own->of[i], err);
        }
    }
    *own = (struct shed_notes){0};
    return status;
}
