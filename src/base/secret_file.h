/* A small text that somebody keeps in a file of its own: a key, headers with a
 * token in them, certificates. Read anew whenever it is needed, so that it can
 * be replaced. */
#ifndef BASE_SECRET_FILE_H
#define BASE_SECRET_FILE_H

#include <stddef.h>

#include "spool/error.h"

/* Up to size bytes into text, *len of them. Links are followed: secrets that
 * are handed out by a system are often reached by one. What is no regular file
 * is refused, without waiting for anything, and so is a file that everybody may
 * write to: SPOOL_IO with a sentence that says what is in the file ("the API
 * key"). On failure text is untouched or has been wiped. */
enum spool_status secret_file_read(const char *path, const char *what,
                                   char *text, size_t size, size_t *len,
                                   struct spool_error *err);

/* Whether a file could be read so, for the sake of a library that reads it by
 * itself: it would wait for a pipe, or take what everybody can change. */
enum spool_status secret_file_check(const char *path, const char *what,
                                    struct spool_error *err);

#endif
