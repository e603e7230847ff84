/* The Retry-After header. libcurl's own reading of it (CURLINFO_RETRY_AFTER)
 * takes "1e9" as 1 and a date of 1994 as minus a billion seconds. */
#include "delivery/verdict.h"

#include <string.h>

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[] = {"Mon", "Tue", "Wed", "Thu",
                                   "Fri", "Sat", "Sun"};
static const char *const long_days[] = {"Monday",   "Tuesday", "Wednesday",
                                        "Thursday", "Friday",  "Saturday",
                                        "Sunday"};

struct date {
    int year, month, day, hour, minute, second; /* month 1..12 */
};

/* Each take_* reads one thing at *p and steps over it, or fails. */
static bool take(const char **p, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*p, text, n) != 0) {
        return false;
    }
    *p += n;
    return true;
}

static bool take_name(const char **p, const char *const *names, int count,
                      int *index)
{
    for (int i = 0; i < count; i++) {
        if (take(p, names[i])) {
            *index = i + 1;
            return true;
        }
    }
    return false;
}

static bool take_number(const char **p, int digits, int *number)
{
    *number = 0;
    for (int i = 0; i < digits; i++, (*p)++) {
        if (**p < '0' || **p > '9') {
            return false;
        }
        *number = *number * 10 + (**p - '0');
    }
    return true;
}

static bool take_time(const char **p, struct date *d)
{
    return take_number(p, 2, &d->hour) && take(p, ":") &&
           take_number(p, 2, &d->minute) && take(p, ":") &&
           take_number(p, 2, &d->second);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool imf_fixdate(const char *p, struct date *d)
{
    int weekday;
    return take_name(&p, days, 7, &weekday) && take(&p, ", ") &&
           take_number(&p, 2, &d->day) && take(&p, " ") &&
           take_name(&p, months, 12, &d->month) && take(&p, " ") &&
           take_number(&p, 4, &d->year) && take(&p, " ") && take_time(&p, d) &&
           take(&p, " GMT") && *p == '\0';
}

/* Sunday, 06-Nov-94 08:49:37 GMT; the century is the caller's to find. */
static bool rfc850_date(const char *p, struct date *d)
{
    int weekday;
    return take_name(&p, long_days, 7, &weekday) && take(&p, ", ") &&
           take_number(&p, 2, &d->day) && take(&p, "-") &&
           take_name(&p, months, 12, &d->month) && take(&p, "-") &&
           take_number(&p, 2, &d->year) && take(&p, " ") && take_time(&p, d) &&
           take(&p, " GMT") && *p == '\0';
}

/* Sun Nov  6 08:49:37 1994 */
static bool asctime_date(const char *p, struct date *d)
{
    int weekday;
    return take_name(&p, days, 7, &weekday) && take(&p, " ") &&
           take_name(&p, months, 12, &d->month) && take(&p, " ") &&
           (take(&p, " ") ? take_number(&p, 1, &d->day)
                          : take_number(&p, 2, &d->day)) &&
           take(&p, " ") && take_time(&p, d) && take(&p, " ") &&
           take_number(&p, 4, &d->year) && *p == '\0';
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool exists(const struct date *d)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30,
                                  31, 31, 30, 31, 30, 31};
    int length = lengths[d->month - 1];
    if (d->month == 2 && is_leap(d->year)) {
        length = 29;
    }
    /* Second 60 is a leap second, which the grammar allows. */
    return d->year >= 1 && d->day >= 1 && d->day <= length && d->hour <= 23 &&
           d->minute <= 59 && d->second <= 60;
}

static int64_t date_ms(const struct date *d)
{
    static const int before[] = {0,   31,  59,  90,  120, 151,
                                 181, 212, 243, 273, 304, 334};
    int64_t past = (int64_t)d->year - 1; /* whole years since year 1 */
    int64_t day = past * 365 + past / 4 - past / 100 + past / 400 - 719162 +
                  before[d->month - 1] + d->day - 1;
    if (d->month > 2 && is_leap(d->year)) {
        day++;
    }
    return (((day * 24 + d->hour) * 60 + d->minute) * 60 + d->second) * 1000;
}

/* RFC 9110 5.6.7: a two-digit year that seems more than 50 years ahead is the
 * latest past one with these digits. */
static void find_century(struct date *d, int64_t wall_ms)
{
    const int64_t year_ms = 31556952000; /* the Gregorian mean */
    int now = (int)(1970 + wall_ms / year_ms);
    d->year += now - now % 100 + 100;
    while (date_ms(d) - wall_ms > 50 * year_ms) {
        d->year -= 100;
    }
}

static bool parse_date(const char *text, int64_t wall_ms, int64_t *ms)
{
    struct date d;
    if (rfc850_date(text, &d)) {
        find_century(&d, wall_ms);
    } else if (!imf_fixdate(text, &d) && !asctime_date(text, &d)) {
        return false;
    }
    *ms = exists(&d) ? date_ms(&d) : 0;
    return exists(&d);
}

static bool parse_seconds(const char *text, int64_t *ms)
{
    int64_t seconds = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (seconds < DAY_MS / 1000) {
            seconds = seconds * 10 + (*p - '0');
        }
    }
    *ms = seconds * 1000;
    return p > text && *p == '\0';
}

int64_t retry_after_ms(const char *text, const char *date, int64_t wall_ms)
{
    int64_t at;
    int64_t now;
    int64_t wait;
    if (!parse_seconds(text, &wait)) {
        if (!parse_date(text, wall_ms, &at)) {
            return -1;
        }
        if (date == NULL || !parse_date(date, wall_ms, &now)) {
            now = wall_ms;
        }
        wait = at - now;
    }
    if (wait < 0) {
        return 0;
    }
    return wait < DAY_MS ? wait : DAY_MS;
}
