/* Filling a struct spool_error and failing on one line:
 *
 *     return failed(err, SPOOL_FULL, "cannot grow %s: the disk is full", path);
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "spool/error.h"

/* Puts the sentence into *err (NULL allowed), cut to fit at a character
 * border, and returns status. */
enum spool_status failed(struct spool_error *err, enum spool_status status,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As failed, with ": " and the text of errno behind the sentence. ENOSPC,
 * EDQUOT and EFBIG give SPOOL_FULL, ENOMEM gives SPOOL_NO_MEMORY, all else
 * SPOOL_IO.
 */
enum spool_status failed_errno(struct spool_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
