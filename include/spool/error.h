/* Statuses and errors: what every call of libspool answers with.
 *
 * A call that can fail returns an enum spool_status and takes a caller-owned
 * struct spool_error last; NULL is allowed there when the sentence does not
 * matter. Nothing is kept per thread or per handle, so an error text can never
 * be overwritten by another thread. A message is one sentence that names the
 * thing, the cause and the next step. It never contains an API key, a query
 * string or an event's payload. */
#ifndef SPOOL_ERROR_H
#define SPOOL_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define SPOOL_EXPORT     __attribute__((visibility("default")))
#define SPOOL_MUST_CHECK __attribute__((warn_unused_result))

/* X(name, value, text). Values are part of the ABI: only append. */
#define SPOOL_STATUS_MAP(X)                                                    \
    X(OK, 0, "done")                                                           \
    X(INVALID, 1, "the event was refused; nothing of it is stored")            \
    X(MISUSE, 2, "the call or an option is wrong")                             \
    X(NOT_FOUND, 3, "no such thing")                                           \
    X(EXISTS, 4, "it exists already")                                          \
    X(BUSY, 5, "another process kept the spool locked for too long")           \
    X(HELD, 6, "another process holds the flusher's lock")                     \
    X(FULL, 7, "the disk or the spool is full; nothing was stored")            \
    X(IO, 8, "the system refused an operation; nothing was stored")            \
    X(UNKNOWN, 9, "the commit failed half-way: the event may be stored")       \
    X(DAMAGED, 10, "the spool file is damaged")                                \
    X(NEWER, 11, "the spool file was written by a newer release")              \
    X(NO_MEMORY, 12, "out of memory; nothing was stored")                      \
    X(MOVED, 13, "the spool file was moved, removed or replaced")              \
    X(TIMEOUT, 14, "the time given was over")                                  \
    X(UNFINISHED, 15, "some events are still undelivered")                     \
    X(DUPLICATE, 16, "the key is known with the same bytes; it is the first")  \
    X(CONFLICT, 17, "the key is known with other bytes; nothing was stored")   \
    X(QUARANTINED, 18, "the event was refused and is kept aside, dead")

enum spool_status {
#define SPOOL_STATUS_ENUM(name, value, text) SPOOL_##name = (value),
    SPOOL_STATUS_MAP(SPOOL_STATUS_ENUM)
#undef SPOOL_STATUS_ENUM
};

#define SPOOL_ERROR_SIZE 512

struct spool_error {
    enum spool_status status;
    char message[SPOOL_ERROR_SIZE]; /* NUL-terminated UTF-8, one sentence */
};

/* The name of a status without its prefix ("FULL"), and what it means.
 * Static strings; any thread; "?" for a value that is no status. */
SPOOL_EXPORT const char *spool_status_name(enum spool_status status);
SPOOL_EXPORT const char *spool_status_text(enum spool_status status);

#ifdef __cplusplus
}
#endif

#endif
