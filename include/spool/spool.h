/* libspool: events that must not be lost, kept on disk until they have arrived.
 *
 *     struct spool *spool;
 *     spool_open(&options, &spool, &err);
 *     spool_put(spool, json, len, NULL, &receipt, &err);   on disk when OK
 *     spool_flusher_start(spool, ...);                     see flusher.h
 *
 * A handle may be used from any number of threads at once, and any number of
 * processes may have the same spool open. A handle is its process's: in a child
 * that is forked it answers SPOOL_MISUSE and spool_close does nothing. A child
 * that was forked while its parent had a spool open, any spool, can open none
 * either, nor can a child of its own (SPOOL_MISUSE), until it has exec'd: fork
 * first, or close them all before, and open then.
 *
 * A program that runs under a limit on the size of files (setrlimit(2)) must
 * ignore SIGXFSZ: then a put that comes to it ends with SPOOL_FULL. */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "spool/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SPOOL_VERSION "0.1.0"

struct spool;

/* How much is asked of an event before it is accepted. */
enum spool_check {
    SPOOL_CHECK_STRICT,  /* the letter of the events API's guide */
    SPOOL_CHECK_RELAXED, /* also what its official clients really send */
    SPOOL_CHECK_OFF,     /* JSON (RFC 8259), an object, with strings name,
                            userId and sessionId that are not empty */
    SPOOL_CHECK_JSON     /* JSON (RFC 8259), an object: for endpoints of another
                            kind. Those without strings userId and sessionId
                            keep their order among each other, in one lane */
};

/* What is done with an event that the check refuses. */
enum spool_refused {
    SPOOL_REJECT,    /* nothing of it is stored */
    SPOOL_QUARANTINE /* it is stored, dead, with the reason: to be looked at,
                        and sent if an operator replays it */
};

struct spool_options {
    const char *path; /* of the outbox file; copied */
    int create;       /* make it if missing, 0600 in a folder 0700 */
    enum spool_check check;
    /* How long an event with nextPage: true waits for the next PAGE_VIEW of its
     * session, just before which it leaves (the guide's Next Page Flag). 0: it
     * does not wait. At most 24 hours: spool_open answers SPOOL_MISUSE to more.
     * The flag is forwarded either way. */
    int64_t next_page_ms;
};

/* path NULL, create 1, strict, 30 minutes for nextPage. */
SPOOL_EXPORT void spool_options_default(struct spool_options *options);

/* SPOOL_NOT_FOUND without create, SPOOL_NEWER for a file of a newer release and
 * SPOOL_DAMAGED for another program's or beside another spool's -wal, all
 * untouched. A spool that is damaged is set aside as PATH.damaged-TIME and a
 * fresh one takes its place, whose ids go on behind the last one given:
 * `spoolctl recover` puts back what can be read. SPOOL_IO says which of the
 * spool's files or folders is not as it should be (a link, another's, open to
 * others). What a process that was killed, a failed disk or a power cut has
 * left is put in order first: whatever that fails with, and SPOOL_BUSY when
 * another process keeps reading for ten seconds, says that nothing may be
 * accepted yet. On failure *out is untouched. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_open(const struct spool_options *options, struct spool **out,
           struct spool_error *err);

/* No thread may be inside a call and no flusher may run. NULL is a no-op. A
 * program that ends without it costs the next opening some syncs. */
SPOOL_EXPORT void spool_close(struct spool *spool);

struct spool_put_options {
    enum spool_check check; /* in place of the handle's, also when it is 0 */
    enum spool_refused refused;
    /* Dedupe key, at most 255 bytes, borrowed; NULL: the orderNo of a purchase
     * is its key, other events have none. A second put with the same key and
     * the same bytes answers DUPLICATE with the first event's id, with other
     * bytes CONFLICT; but a purchase that was purged at all destinations that
     * take it gives its orderNo up to other bytes while it is in the log. */
    const char *key;
};

/* What became of one event. */
struct spool_receipt {
    enum spool_status status; /* OK, DUPLICATE, CONFLICT, INVALID, QUARANTINED,
                                 FULL, or why nothing was stored */
    int64_t id; /* with OK and QUARANTINED: ascending from 1, never reused; with
                   DUPLICATE and
                   CONFLICT: of the event that had the key first */
    /* Set with INVALID, QUARANTINED and CONFLICT, and with FULL when it was one
     * of the spool's limits (limits.h) and not the disk: */
    const char *fault; /* ok missing type enum format syntax limit conflict
                          full; static */
    size_t offset;     /* of the byte at fault in the event */
    char path[64];     /* JSON Pointer (RFC 6901), "" for the whole event */
    char message[192]; /* a sentence, without any value of the event */
};

/* Accepts one event: json is exactly one JSON object (white space around it
 * aside). SPOOL_OK means that its bytes, as given, are on disk and survive a
 * power cut; so does SPOOL_DUPLICATE, of an earlier put. SPOOL_UNKNOWN means
 * that they may be or not, and that the handle takes nothing more until it is
 * opened anew. Any other status means that nothing is stored; after SPOOL_MOVED
 * (the file was moved, replaced or set aside) it has to be opened anew as well.
 * options NULL: as the handle was opened. receipt and err may be NULL. Blocks
 * on the disk; calls of several threads share commits. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_put(struct spool *spool, const char *json, size_t len,
          const struct spool_put_options *options,
          struct spool_receipt *receipt, struct spool_error *err);

struct spool_event {
    const char *json;
    size_t len;
    const char *key; /* as in spool_put_options */
};

/* Accepts many, in the order given, in transactions of up to a thousand. An
 * event that is refused does not stop the others: receipts (n of them, the
 * caller's) say what became of each. options->key is not looked at. SPOOL_OK
 * when every event was accepted or a duplicate, SPOOL_INVALID when all but
 * refused ones were (quarantined ones included), SPOOL_FULL when a limit of the
 * spool kept some out (fault "full") and all were tried, else the first failure
 * of the store, behind which nothing more was tried. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_put_many(struct spool *spool, const struct spool_event *events, size_t n,
               const struct spool_put_options *options,
               struct spool_receipt *receipts, struct spool_error *err);

/* A destination: a reader of the log. Texts are copied. What is NULL or 0 is as
 * it is by default, so that a struct with a name and a URL will do; spoolctl's
 * manual, under destination, says more of each, by the same names. Files are
 * opened by whatever process delivers: give their paths from the root.
 */
struct spool_destination {
    const char *name;         /* letters, digits, - _ . and not digits alone */
    const char *url;          /* https://..., or http:// on this machine */
    const char *profile;      /* "segmentify" (NULL) or "json" */
    const char *origin;       /* sent as the Origin header */
    const char *api_key_file; /* its first line is the key; read at each send */
    const char *filter;       /* NULL takes every event */
    /* Of the profile "json". */
    const char *body;    /* "array" (NULL), "object" or "ndjson" */
    const char *success; /* statuses that mean success, like "200,202" */
    /* Headers of its own, a line "Name: value" each. A secret among them is
     * refused: the spool keeps none. Those of the file, secret or not, are read
     * at each send. */
    const char *headers;
    const char *header_file;
    /* Whom to trust, and who we are to the endpoint: PEM files. */
    const char *ca_file; /* in place of the system's */
    const char *client_cert;
    const char *client_key; /* without a pass phrase; NULL: in client_cert */
    const char *proxy;      /* http:// or socks5h://; NULL: none, whatever the
                               environment says */
    int lanes;        /* requests at once; order is kept within a session (1) */
    int batch_events; /* most events of a request */
    int64_t batch_bytes;  /* most bytes of its events together */
    int64_t batch_age_ms; /* a batch that is not full is sent at this age */
    int64_t rate;         /* events a second at most (no limit) */
    int64_t spread_ms;    /* a start on a backlog is put off by up to this, so
                             that many tills do not come at once (not at all) */
};

/* Adds a destination that reads the log from its beginning. SPOOL_EXISTS when
 * there is one of that name: it is left as it is. SPOOL_MISUSE says which value
 * cannot be used, SPOOL_BUSY that a damaged file has to be recovered first. No
 * file that it names need be there yet. Any thread. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_add_destination(struct spool *spool,
                      const struct spool_destination *destination,
                      struct spool_error *err);

/* accepted = delivered + pending + held + sending + retrying + uncertain + dead
 * + purged + passed + lost, at every moment. */
struct spool_stats {
    int64_t accepted;
    int64_t delivered;
    int64_t pending;   /* not sent yet */
    int64_t held;      /* waits for the next page of its session */
    int64_t sending;   /* in a request right now */
    int64_t retrying;  /* sent, not processed, to be sent again */
    int64_t uncertain; /* sent, perhaps processed, to be sent again */
    int64_t dead;      /* refused, set aside */
    int64_t purged;    /* taken out by an operator, or shed by a limit */
    int64_t passed;    /* not taken by the destination's filter */
    int64_t
        oldest_at_ms; /* when the oldest waiting one was accepted; 0: none */
    int64_t lost; /* by damage to the file: their ids are in the audit log */
};

/* Cheap however much waits. SPOOL_NOT_FOUND names the destinations. */
SPOOL_EXPORT SPOOL_MUST_CHECK enum spool_status
spool_stats(struct spool *spool, const char *destination,
            struct spool_stats *out, struct spool_error *err);

/* What was found to be wrong with the spool's file when it was opened, a
 * sentence each, to be logged: events lost by damage, a damaged file whose
 * events wait to be put back, a restored backup, a copy. Nothing is called when
 * all is well. A sentence is valid during the call, which may not close the
 * spool. Any thread. */
SPOOL_EXPORT void spool_notices(const struct spool *spool,
                                void (*each)(void *arg, const char *sentence),
                                void *arg);

/* SPOOL_VERSION of the library that runs. Static. */
SPOOL_EXPORT const char *spool_version(void);

#ifdef __cplusplus
}
#endif

#endif
