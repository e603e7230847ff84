/* One column of a file, read as a stream: CSV (RFC 4180), of which a value a
 * line is the simplest.
 *
 * The first comma, semicolon or tab of the first row that is not quoted is what
 * separates fields. A byte order mark at the start is passed over, and so are
 * empty lines; lines end with LF or CR LF. */
#ifndef SPOOLCTL_COLUMN_H
#define SPOOLCTL_COLUMN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "spool/error.h"

#define COLUMN_VALUE_MAX 1024

struct column {
    FILE *in;
    const char *file;         /* what it is called in sentences; borrowed */
    const char *wanted;       /* a name, or a place from 1; NULL: the first */
    const char *const *heads; /* what may stand above the wanted column, or
                                 begin a header; NULL ends them */
    int64_t row_line;         /* where the row of value began, from 1 */
    int64_t blank;            /* rows so far that have no value there */
    char value[COLUMN_VALUE_MAX + 1]; /* of the row, trimmed */
    char given[COLUMN_VALUE_MAX + 1]; /* likewise, not trimmed */
    /* The reader's own. */
    size_t at;      /* of the wanted column, from 0 */
    char separator; /* 0: not seen yet */
    bool waiting;   /* the first row was no header: value is its own */
    int64_t line;
    char field[COLUMN_VALUE_MAX + 1]; /* the one that is read */
    size_t len;
    bool quoted, too_long;
    size_t next, there; /* in block */
    unsigned char block[16 * 1024];
};

/* Begins, with the members from row_line on zeroed. A first row that is a
 * header is taken: it is one when the wanted column is named, else when its
 * first field or the wanted one is one of heads, whatever the case.
 * SPOOL_MISUSE when there is no column of that name; otherwise as column_next,
 * but an empty file is OK. */
enum spool_status column_start(struct column *c, struct spool_error *err);

/* The next row's value, into c->value and c->given. SPOOL_NOT_FOUND at the end;
 * SPOOL_INVALID names the line that is not CSV; SPOOL_IO when the file cannot
 * be read. */
enum spool_status column_next(struct column *c, struct spool_error *err);

#endif
