/* Where an event is: its state at each destination. */
#ifndef SPOOLCTL_PLACE_H
#define SPOOLCTL_PLACE_H

#include "ctl.h"
#include "outbox/inspect.h"
#include "picked.h"

enum place_kind {
    PLACE_IN_LOG, /* state counts */
    PLACE_PASSED, /* the filter does not take it */
    PLACE_BEFORE  /* accepted before the destination began to read */
};

struct place {
    struct destination d;
    enum place_kind kind;
    enum event_state state;
    int attempts, uncertain;
    int64_t next_at;
    char key[64], code[64];
    char reason[DESTINATION_REASON_SIZE];
};

struct places {
    int64_t id, at, part;
    char *body; /* owned */
    size_t len;
    bool whole;
    struct place *places; /* owned */
    size_t n;
};

/* The event id at all destinations or the one of that name. NOTHING says
 * whether it was dropped or never there. places_finish is due in any case. */
enum ending places_find(struct ctl *ctl, int64_t id, const char *destination,
                        struct places *out);
void places_finish(struct places *p);

/* A state's word, `passed` or `before`. Static. */
const char *place_state(const struct place *p);

#endif
