#include "ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "when.h"

void ctl_finish(struct ctl *ctl)
{
    spool_close(ctl->spool);
    ctl->spool = NULL;
    ctl->box = NULL;
    free(ctl->given);
    ctl->given = NULL;
    free(ctl->self);
    ctl->self = NULL;
}

static void warn_of(void *arg, const char *sentence)
{
    const struct ctl *ctl = arg;
    if (!ctl->quiet) {
        ctl_warn("%s", sentence);
    }
}

void ctl_warn_of_place(struct ctl *ctl)
{
    outbox_place_notices(ctl->box, warn_of, ctl);
}

enum ending ctl_open(struct ctl *ctl, bool create)
{
    struct spool_options options;
    struct spool_error err;
    spool_options_default(&options);
    options.path = ctl->spool_path;
    options.create = create;
    enum spool_status status = spool_open(&options, &ctl->spool, &err);
    if (status != SPOOL_OK) {
        (void)ctl_failed(&err);
        return FAILED;
    }
    ctl->box = spool_outbox(ctl->spool);
    outbox_notices(ctl->box, warn_of, ctl);
    return DONE;
}

const char *ctl_value(const struct ctl *ctl, enum option_id id)
{
    const char *value = NULL;
    for (size_t i = 0; i < ctl->given_n; i++) {
        if (ctl->given[i].id == id) {
            value = ctl->given[i].value;
        }
    }
    return value;
}

bool ctl_has(const struct ctl *ctl, enum option_id id)
{
    for (size_t i = 0; i < ctl->given_n; i++) {
        if (ctl->given[i].id == id) {
            return true;
        }
    }
    return false;
}

enum ending ctl_number(const struct ctl *ctl, enum option_id id, int64_t least,
                       int64_t most, int64_t *out)
{
    const char *text = ctl_value(ctl, id);
    if (text == NULL) {
        return DONE;
    }
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
        n < least || n > most) {
        return ctl_misuse(
            ctl, "--%s takes a number from %lld to %lld, not '%s'",
            option_rules[id].name, (long long)least, (long long)most, text);
    }
    *out = n;
    return DONE;
}

enum ending ctl_duration(const struct ctl *ctl, enum option_id id,
                         int64_t unit_ms, int64_t *out)
{
    const char *text = ctl_value(ctl, id);
    if (text == NULL || duration_parse(text, unit_ms, out)) {
        return DONE;
    }
    return ctl_misuse(ctl,
                      "--%s takes a duration like 30s, 5m, 2h or 1d, not '%s'",
                      option_rules[id].name, text);
}

enum ending ctl_time(const struct ctl *ctl, enum option_id id, int64_t *out)
{
    const char *text = ctl_value(ctl, id);
    if (text == NULL || time_parse(text, clock_wall_ms(&clock_system), out)) {
        return DONE;
    }
    return ctl_misuse(ctl,
                      "--%s takes a time like 2026-03-01T18:00:00Z, 2h (ago) "
                      "or 'yesterday 18:00', not '%s'",
                      option_rules[id].name, text);
}

/* A line. The names of files and the arguments in it are somebody else's. */
static void words(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    size_t size = len < 0 ? 1 : (size_t)len + 1;
    char *raw = calloc(2, size);
    (void)fflush(stdout); /* keeps the order on a terminal */
    if (raw != NULL) {
        (void)vsnprintf(raw, size, format, args);
        text_clean(raw + size, size, raw, size - 1);
    }
    (void)fprintf(stderr, "%s\n", raw != NULL ? raw + size : "out of memory");
    free(raw);
}

void ctl_say(const struct ctl *ctl, const char *format, ...)
{
    if (!ctl->quiet) {
        va_list args;
        va_start(args, format);
        words(format, args);
        va_end(args);
    }
}

void ctl_next(const struct ctl *ctl, const char *format, ...)
{
    if (!ctl->quiet) {
        va_list args;
        (void)fflush(stdout);
        (void)fprintf(stderr, "next  %s ", ctl->self);
        va_start(args, format);
        words(format, args);
        va_end(args);
    }
}

void ctl_warn(const char *format, ...)
{
    va_list args;
    (void)fflush(stdout);
    (void)fputs("spoolctl: ", stderr);
    va_start(args, format);
    words(format, args);
    va_end(args);
}

enum ending ctl_misuse(const struct ctl *ctl, const char *format, ...)
{
    va_list args;
    const char *name = ctl->command != NULL ? ctl->command->name : "";
    (void)fprintf(stderr, "spoolctl: %s%s", name, name[0] != '\0' ? ": " : "");
    va_start(args, format);
    words(format, args);
    va_end(args);
    (void)fprintf(stderr, "'spoolctl help%s%s' says more\n",
                  name[0] != '\0' ? " " : "", name);
    return USAGE;
}

static enum ending ending_of(enum spool_status status)
{
    switch (status) {
    case SPOOL_OK:
        return DONE;
    case SPOOL_MISUSE:
        return USAGE;
    case SPOOL_NOT_FOUND:
        return NOTHING;
    case SPOOL_HELD:
        return LOCKED;
    case SPOOL_TIMEOUT:
    case SPOOL_UNFINISHED:
        return PARTLY;
    case SPOOL_INVALID:
    case SPOOL_EXISTS:
    case SPOOL_BUSY:
    case SPOOL_FULL:
    case SPOOL_IO:
    case SPOOL_UNKNOWN:
    case SPOOL_DAMAGED:
    case SPOOL_NEWER:
    case SPOOL_NO_MEMORY:
    case SPOOL_MOVED:
    case SPOOL_CONFLICT:
    case SPOOL_QUARANTINED:
        return FAILED;
    case SPOOL_DUPLICATE:
        return DONE;
    }
    return FAILED;
}

enum ending ctl_failed(const struct spool_error *err)
{
    ctl_warn("%s", err->message);
    return ending_of(err->status);
}

enum ending ctl_destinations(struct ctl *ctl, const char *name,
                             struct destination **out, size_t *n)
{
    struct spool_error err;
    enum spool_status status = destination_list(ctl->box, name, out, n, &err);
    return status == SPOOL_OK ? DONE : ctl_failed(&err);
}

bool ctl_can_print(void)
{
    return ferror(stdout) == 0;
}
