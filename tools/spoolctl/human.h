/* Numbers, sizes and texts for people. Pure. */
#ifndef SPOOLCTL_HUMAN_H
#define SPOOLCTL_HUMAN_H

#include <stddef.h>
#include <stdint.h>

#include "events/json.h"

#define HUMAN_SIZE      32
#define HUMAN_PATH_SIZE 4200 /* of a file that there is */

/* 48,210 */
const char *human_count(int64_t n, char out[HUMAN_SIZE]);

/* 61 MiB */
const char *human_bytes(int64_t n, char out[HUMAN_SIZE]);

/* "1 event", "48,210 events" */
const char *human_events(int64_t n, char out[HUMAN_SIZE]);

/* A JSON string's text, decoded and made fit for a terminal. */
const char *human_json(struct json_text text, char *out, size_t size);

/* Somebody else's words, made fit for a terminal. */
const char *human_words(const char *words, char *out, size_t size);

/* Code and reason of an answer as one text; a reason that begins with the code
 * says it already. */
const char *human_answer(const char *code, const char *reason, char *out,
                         size_t size);

#endif
