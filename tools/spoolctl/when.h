/* Durations and times as people type and read them. Pure but for the system's
 * time zone. */
#ifndef SPOOLCTL_WHEN_H
#define SPOOLCTL_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#define WHEN_SIZE 40

/* 500ms, 30s, 5m, 2h, 1d, 1w, 1h30m; a bare number counts in unit_ms. False,
 * with *ms unchanged, for anything else and for more than ten years. */
bool duration_parse(const char *text, int64_t unit_ms, int64_t *ms);

/* The two largest units: "4 h 12 min", "350 ms". */
void duration_text(int64_t ms, char out[WHEN_SIZE]);

/* A moment before now: RFC 3339 (2026-03-01T18:00:00Z, without an offset in
 * local time, seconds and time of day may be left out), a duration (2h: that
 * long ago), a time of day (18:00: today), "yesterday", "today" or "now", the
 * first two also followed by a time of day. *ms is since the epoch. */
bool time_parse(const char *text, int64_t now_ms, int64_t *ms);

/* RFC 3339 in local time with seconds. */
void time_text(int64_t ms, char out[WHEN_SIZE]);

#endif
