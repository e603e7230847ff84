/* One run of spoolctl: the command line taken apart, the spool when the command
 * needs one, and how it speaks. Data goes to stdout, words to stderr. One
 * thread. */
#ifndef SPOOLCTL_CTL_H
#define SPOOLCTL_CTL_H

#include <stdbool.h>
#include <stddef.h>

#include "outbox/destination.h"
#include "spool/handle.h"
#include "spool/spool.h"

/* What the program exits with; the table stands in spoolctl.1. */
enum ending {
    DONE = 0,
    FAILED = 1,
    USAGE = 2,
    NOTHING = 3,
    LOCKED = 4,
    PARTLY = 5,
};

/* Every option of every command. */
enum option_id {
    OPTION_ADOPT,
    OPTION_ALL,
    OPTION_ANY_JSON,
    OPTION_API_KEY_FILE,
    OPTION_BACKOFF_MS,
    OPTION_BATCH_AGE_MS,
    OPTION_BATCH_BYTES,
    OPTION_BATCH_EVENTS,
    OPTION_BODY,
    OPTION_CA_FILE,
    OPTION_CHECK_OFF,
    OPTION_CLASS,
    OPTION_CLIENT_CERT,
    OPTION_CLIENT_KEY,
    OPTION_COLUMN,
    OPTION_DESTINATION,
    OPTION_DRY_RUN,
    OPTION_FILTER,
    OPTION_FREE_DISK,
    OPTION_FROM,
    OPTION_HEADER,
    OPTION_HEADER_FILE,
    OPTION_HOLD_AFTER,
    OPTION_KEY,
    OPTION_LANES,
    OPTION_LIMIT,
    OPTION_LIST,
    OPTION_LOCAL,
    OPTION_MAX_AGE,
    OPTION_MAX_BYTES,
    OPTION_MAX_EVENTS,
    OPTION_NAME,
    OPTION_ORDER,
    OPTION_ORIGIN,
    OPTION_PAYLOAD,
    OPTION_PROFILE,
    OPTION_PROXY,
    OPTION_RATE,
    OPTION_REASON,
    OPTION_QUARANTINE,
    OPTION_RELAXED,
    OPTION_REVERSE,
    OPTION_SHARE,
    OPTION_SESSION,
    OPTION_SINCE,
    OPTION_SPREAD,
    OPTION_STATE,
    OPTION_STOP,
    OPTION_STRICT,
    OPTION_SUCCESS,
    OPTION_TIMEOUT,
    OPTION_KEEP,
    OPTION_UNTIL,
    OPTION_URL,
    OPTION_USER,
    OPTION_YES,
    OPTIONS /* how many; ends the list of a command */
};

struct option_rule {
    const char *name;  /* without the dashes */
    const char *value; /* what the help calls its value; NULL: it takes none */
    const char *help;
};

extern const struct option_rule option_rules[OPTIONS];

struct ctl;

struct command {
    const char *name;      /* one word or two */
    const char *arguments; /* as the help shows them */
    const char *summary;
    const char *more;              /* for its own help; NULL: nothing */
    const enum option_id *options; /* up to OPTIONS; NULL: none */
    size_t least, most;            /* arguments */
    enum ending (*run)(struct ctl *ctl);
};

/* The one table: dispatch, help and hints are made from it. name NULL ends it.
 */
extern const struct command commands[];

struct given {
    enum option_id id;
    const char *value; /* NULL for an option without one */
};

struct ctl {
    const char *spool_path;
    char *self; /* owned: what a command begins with that acts on this spool */
    bool json, quiet;
    bool help, version; /* asked for */
    const struct command *command;
    const char *topic; /* of `help`; NULL: none */
    char **arguments;  /* borrowed from argv */
    size_t arguments_n;
    struct given *given; /* owned */
    size_t given_n;
    struct spool *spool; /* NULL until ctl_open */
    struct outbox *box;  /* spool's; what the inspect functions want */
};

/* Closes the spool, frees what is owned; safe on a zeroed one. */
void ctl_finish(struct ctl *ctl);

/* Opens ctl->spool_path, which must exist unless create; says why not, and
 * what was found to be wrong with the file. */
enum ending ctl_open(struct ctl *ctl, bool create);

/* Says what is wrong with the place: a file system in memory and the like. */
void ctl_warn_of_place(struct ctl *ctl);

/* The last value that was given, or NULL. */
const char *ctl_value(const struct ctl *ctl, enum option_id id);
bool ctl_has(const struct ctl *ctl, enum option_id id);

/* A number from least to most, or a sentence and USAGE. *out stays as it is
 * when the option was not given. */
enum ending ctl_number(const struct ctl *ctl, enum option_id id, int64_t least,
                       int64_t most, int64_t *out);
/* Likewise a duration in ms; a bare number counts in unit_ms. */
enum ending ctl_duration(const struct ctl *ctl, enum option_id id,
                         int64_t unit_ms, int64_t *out);

/* Likewise a moment before now (when.h), in ms since the epoch. */
enum ending ctl_time(const struct ctl *ctl, enum option_id id, int64_t *out);

/* Words to stderr, a line each, unless -q. */
void ctl_say(const struct ctl *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The command to be given next, behind what it begins with; likewise. */
void ctl_next(const struct ctl *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Complaints to stderr, even with -q. */
void ctl_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A complaint that ends in "spoolctl help COMMAND says more"; USAGE. */
enum ending ctl_misuse(const struct ctl *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Complains with the error's sentence; the ending that fits its status. */
enum ending ctl_failed(const struct spool_error *err);

/* All destinations, or the one that --destination or name says. A fresh array,
 * yours to free. */
enum ending ctl_destinations(struct ctl *ctl, const char *name,
                             struct destination **out, size_t *n);

/* False once stdout does not take any more: a listing may end. */
bool ctl_can_print(void);

#endif
