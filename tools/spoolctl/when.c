#define _DEFAULT_SOURCE /* timegm */
#include "when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND  ((int64_t)1000)
#define MINUTE  (60 * SECOND)
#define HOUR    (60 * MINUTE)
#define DAY     (24 * HOUR)
#define LONGEST (3653 * DAY)

static const struct unit {
    const char *name;  /* as typed */
    const char *shown; /* NULL: not used for showing */
    int64_t ms;
} units[] = {
    {"w", NULL, 7 * DAY}, {"d", "d", DAY},      {"h", "h", HOUR},
    {"ms", NULL, 1},      {"m", "min", MINUTE}, {"min", NULL, MINUTE},
    {"s", "s", SECOND},
};
#define UNITS (sizeof units / sizeof *units)

static const struct unit *find_unit(const char *text, size_t len)
{
    for (size_t i = 0; i < UNITS; i++) {
        if (strlen(units[i].name) == len &&
            strncmp(units[i].name, text, len) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

bool duration_parse(const char *text, int64_t unit_ms, int64_t *ms)
{
    int64_t sum = 0;
    if (*text == '\0') {
        return false;
    }
    for (const char *p = text; *p != '\0';) {
        size_t digits = strspn(p, "0123456789");
        size_t letters = strspn(p + digits, "dhimnsw");
        if (digits == 0 || digits > 15) {
            return false;
        }
        int64_t n = strtoll(p, NULL, 10);
        const struct unit *u = find_unit(p + digits, letters);
        bool bare = letters == 0 && p == text && p[digits] == '\0';
        if (u == NULL && !bare) {
            return false;
        }
        int64_t factor = bare ? unit_ms : u->ms;
        if (n > (LONGEST - sum) / factor) {
            return false;
        }
        sum += n * factor;
        p += digits + letters;
    }
    *ms = sum;
    return true;
}

void duration_text(int64_t ms, char out[WHEN_SIZE])
{
    if (ms < SECOND) {
        (void)snprintf(out, WHEN_SIZE, "%lld ms", (long long)(ms < 0 ? 0 : ms));
        return;
    }
    size_t n = 0;
    int parts = 0;
    for (size_t i = 0; i < UNITS && parts < 2; i++) {
        if (units[i].shown == NULL) {
            continue;
        }
        int64_t count = ms / units[i].ms;
        ms -= count * units[i].ms;
        if (count > 0) {
            n += (size_t)snprintf(out + n, WHEN_SIZE - n, "%s%lld %s",
                                  n > 0 ? " " : "", (long long)count,
                                  units[i].shown);
        }
        parts += parts > 0 || count > 0 ? 1 : 0;
    }
}

/* Exactly n digits at *p make a number. */
static bool take_digits(const char **p, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, ++*p) {
        if (**p < '0' || **p > '9') {
            return false;
        }
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool take(const char **p, char c)
{
    if (**p != c) {
        return false;
    }
    ++*p;
    return true;
}

/* The digits behind a decimal point. */
static bool take_fraction(const char **p, int64_t *ms)
{
    int64_t unit = 100;
    const char *first = *p;
    for (; **p >= '0' && **p <= '9'; ++*p, unit /= 10) {
        *ms += (**p - '0') * unit;
    }
    return *p > first;
}

/* HH:MM[:SS[.fraction]] */
static bool take_clock(const char **p, struct tm *tm, int64_t *ms)
{
    *ms = 0;
    tm->tm_sec = 0;
    if (!take_digits(p, 2, &tm->tm_hour) || !take(p, ':') ||
        !take_digits(p, 2, &tm->tm_min)) {
        return false;
    }
    if (take(p, ':') && (!take_digits(p, 2, &tm->tm_sec) ||
                         (take(p, '.') && !take_fraction(p, ms)))) {
        return false;
    }
    return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 61;
}

/* YYYY-MM-DD, a day that exists. */
static bool take_date(const char **p, struct tm *tm)
{
    int year, month, day;
    if (!take_digits(p, 4, &year) || !take(p, '-') ||
        !take_digits(p, 2, &month) || !take(p, '-') ||
        !take_digits(p, 2, &day)) {
        return false;
    }
    struct tm check = {
        .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    if (timegm(&check) == (time_t)-1 || check.tm_mon != month - 1 ||
        check.tm_mday != day) {
        return false;
    }
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    return true;
}

/* Z or +HH:MM */
static bool take_zone(const char **p, int64_t *offset)
{
    int sign = **p == '-' ? -1 : 1, hours, minutes;
    if (take(p, 'Z') || take(p, 'z')) {
        return true;
    }
    if ((!take(p, '+') && !take(p, '-')) || !take_digits(p, 2, &hours) ||
        !take(p, ':') || !take_digits(p, 2, &minutes) || hours > 23 ||
        minutes > 59) {
        return false;
    }
    *offset = sign * (hours * HOUR + minutes * MINUTE);
    return true;
}

/* With the zone that p is at; at the end: local time. */
static bool finish(const char *p, struct tm *tm, int64_t part_ms, int64_t *ms)
{
    int64_t offset = 0;
    time_t seconds;
    if (*p == '\0') {
        tm->tm_isdst = -1;
        seconds = mktime(tm);
    } else {
        if (!take_zone(&p, &offset) || *p != '\0') {
            return false;
        }
        seconds = timegm(tm);
    }
    *ms = (int64_t)seconds * SECOND + part_ms - offset;
    return true;
}

static void day_of(int64_t now_ms, int days_ago, struct tm *tm)
{
    time_t now = (time_t)(now_ms / SECOND);
    (void)localtime_r(&now, tm);
    tm->tm_mday -= days_ago;
    tm->tm_hour = 0;
    tm->tm_min = 0;
    tm->tm_sec = 0;
}

/* today, yesterday, each with a time of day or without; a time of day alone. */
static bool parse_day(const char *text, int64_t now_ms, int64_t *ms)
{
    static const struct {
        const char *word;
        int days_ago;
    } days[] = {{"today", 0}, {"yesterday", 1}, {"", 0}};
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        size_t n = strlen(days[i].word);
        if (strncmp(text, days[i].word, n) != 0) {
            continue;
        }
        struct tm tm;
        int64_t part = 0;
        const char *p = text + n;
        day_of(now_ms, days[i].days_ago, &tm);
        bool alone = n > 0 && *p == '\0';
        if (alone || ((n == 0 || take(&p, ' ')) && take_clock(&p, &tm, &part) &&
                      *p == '\0')) {
            return finish("", &tm, part, ms);
        }
    }
    return false;
}

bool time_parse(const char *text, int64_t now_ms, int64_t *ms)
{
    int64_t ago, part = 0;
    struct tm tm = {0};
    const char *p = text;
    if (strcmp(text, "now") == 0) {
        *ms = now_ms;
        return true;
    }
    if (take_date(&p, &tm)) {
        if (*p == '\0') {
            return finish(p, &tm, 0, ms);
        }
        bool joined = take(&p, 'T') || take(&p, 't') || take(&p, ' ');
        return joined && take_clock(&p, &tm, &part) && finish(p, &tm, part, ms);
    }
    /* A bare number could mean anything. */
    if (strspn(text, "0123456789") != strlen(text) &&
        duration_parse(text, SECOND, &ago)) {
        *ms = now_ms - ago;
        return true;
    }
    return parse_day(text, now_ms, ms);
}

void time_text(int64_t ms, char out[WHEN_SIZE])
{
    time_t seconds = (time_t)(ms / SECOND);
    struct tm tm;
    char zone[8];
    if (localtime_r(&seconds, &tm) == NULL) {
        (void)snprintf(out, WHEN_SIZE, "?");
        return;
    }
    size_t n = strftime(out, WHEN_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)strftime(zone, sizeof zone, "%z", &tm);
    if (strcmp(zone, "+0000") == 0) {
        (void)snprintf(out + n, WHEN_SIZE - n, "Z");
    } else {
        (void)snprintf(out + n, WHEN_SIZE - n, "%.3s:%s", zone, zone + 3);
    }
}
