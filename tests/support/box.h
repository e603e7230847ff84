/* An outbox in a fresh folder, with a clock that the test turns. */
#ifndef TESTS_SUPPORT_BOX_H
#define TESTS_SUPPORT_BOX_H

#include "outbox/batch.h"
#include "outbox/destination.h"
#include "outbox/inspect.h"
#include "outbox/operate.h"
#include "outbox/outbox.h"

struct fixture {
    char folder[64];
    char path[96];
    int64_t now; /* wall ms; the clock stands still unless the test turns it */
    struct clock clock;
    struct outbox *box;
    struct destination d;
    struct settled settled; /* what fixture_settle's answer led to */
};

/* A spool with one destination `shop`, batches of 4, no age. */
int fixture_setup(void **state);
int fixture_setup_in_ram(void **state); /* for what need not last */
int fixture_teardown(void **state);

/* A folder of its own for a test; removed by fixture_remove_folder. */
void fixture_make_folder(char folder[64]);

/* In memory if there is a place for that: for what need not last. */
void fixture_make_ram_folder(char folder[64]);
void fixture_remove_folder(const char *folder);

/* Closes and opens the file again. */
/* Opens the spool at f->path, which may be there already, with the clock at
 * now. */
void fixture_open(struct fixture *f, int64_t now);

void fixture_reopen(struct fixture *f);

/* Puts n events `{"n":K}` with K counting on from the last id, part 0. */
void fixture_put(struct fixture *f, int n);

/* One turn of lane 0. taken is checked. */
void fixture_take(struct fixture *f, struct turn *turn, enum taken taken);

/* Settles turn's batch and takes the next one into it. */
void fixture_settle(struct fixture *f, struct turn *turn, enum outcome outcome,
                    enum taken taken);

/* The states of events 1..n, a letter each: p s r u d x(dead) g(purged). */
const char *fixture_states(struct fixture *f, char *out, size_t n);

/* Fails unless verify finds nothing. */
void fixture_verify(struct fixture *f);

#endif
