/* Which events a command is about: the options of ls, and ids. */
#ifndef SPOOLCTL_SELECTION_H
#define SPOOLCTL_SELECTION_H

#include "ctl.h"
#include "events/event.h"
#include "outbox/inspect.h"
#include "picked.h"

/* The states that wait, as bits. */
#define STATES_WAITING                                                         \
    (1U << EVENT_PENDING | 1U << EVENT_SENDING | 1U << EVENT_RETRYING |        \
     1U << EVENT_UNCERTAIN | 1U << EVENT_HELD)

struct selection {
    const char *destination; /* NULL: all; like all texts, borrowed */
    unsigned states;         /* bit 1 << event_state each; 0: any */
    int64_t since, until;    /* ms; 0: any */
    int64_t limit;           /* INT64_MAX: none */
    const char *name, *user, *session, *key, *order, *reason;
    bool all;      /* --all */
    bool filtered; /* anything but destination, limit and all */
    bool by_id;
    struct picked ids; /* owned; ascending */
};

/* Adds comma-separated words to *states as bits; `waiting` is several. False
 * for a word that is no state. */
bool selection_states(const char *words, unsigned *states);

/* From the options, and for ids from the arguments (- reads stdin). Says what
 * is wrong with them. selection_finish is due in any case. */
enum ending selection_parse(struct ctl *ctl, bool ids, struct selection *out);
void selection_finish(struct selection *s);

/* Does the event pass all but the range (ids, times, states)? facts NULL: the
 * bytes are no event. */
bool selection_takes(const struct selection *s, const struct event_record *e,
                     const struct event_facts *facts);

/* The options of s as words for the audit log, personal data left out. */
void selection_words(const struct ctl *ctl, char *out, size_t size);

#endif
