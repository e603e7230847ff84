#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *spool_status_name(enum spool_status status)
{
    switch (status) {
#define CASE(name, value, text)                                                \
    case SPOOL_##name:                                                         \
        return #name;
        SPOOL_STATUS_MAP(CASE)
#undef CASE
    }
    return "?";
}

const char *spool_status_text(enum spool_status status)
{
    switch (status) {
#define CASE(name, value, text)                                                \
    case SPOOL_##name:                                                         \
        return text;
        SPOOL_STATUS_MAP(CASE)
#undef CASE
    }
    return "?";
}

/* A cut sentence must stay UTF-8: drop the bytes of a character that does not
 * fit whole. */
static void trim_to_character(char *text, size_t size, int wanted)
{
    if (wanted < 0 || (size_t)wanted < size) {
        return;
    }
    size_t n = size - 1;
    while (n > 0 && ((unsigned char)text[n - 1] & 0xC0) == 0x80) {
        n--;
    }
    if (n > 0 && (unsigned char)text[n - 1] >= 0xC0) {
        n--;
    }
    text[n] = '\0';
}

enum spool_status failed(struct spool_error *err, enum spool_status status,
                         const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        int wanted = vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
        trim_to_character(err->message, sizeof err->message, wanted);
        err->status = status;
    }
    return status;
}

enum spool_status failed_errno(struct spool_error *err, const char *format, ...)
{
    int code = errno;
    enum spool_status status = SPOOL_IO;
    if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
        status = SPOOL_FULL;
    } else if (code == ENOMEM) {
        status = SPOOL_NO_MEMORY;
    }
    if (err != NULL) {
        char what[SPOOL_ERROR_SIZE];
        char why[128];
        va_list args;
        va_start(args, format);
        (void)vsnprintf(what, sizeof what, format, args);
        va_end(args);
        /* strerror is not thread-safe; the XSI strerror_r is. */
        if (strerror_r(code, why, sizeof why) != 0) {
            (void)snprintf(why, sizeof why, "error %d", code);
        }
        (void)failed(err, status, "%s: %s", what, why);
    }
    return status;
}
