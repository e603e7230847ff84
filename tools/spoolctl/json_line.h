/* JSON output: objects built with json-c, printed as one line each. Members are
 * only ever added. Running out of memory ends the program: nothing here can be
 * done without it. */
#ifndef SPOOLCTL_JSON_LINE_H
#define SPOOLCTL_JSON_LINE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events/json.h"

struct json_object *json_make(void);

void json_add_number(struct json_object *o, const char *name, int64_t n);
void json_add_decimal(struct json_object *o, const char *name, double n);
void json_add_bool(struct json_object *o, const char *name, bool b);

/* ms since the epoch; 0 becomes null: there is no such moment. */
void json_add_time(struct json_object *o, const char *name, int64_t ms);

/* Bytes that are no UTF-8 become U+FFFD. NULL becomes "". */
void json_add_text(struct json_object *o, const char *name, const char *text);
void json_add_bytes(struct json_object *o, const char *name, const char *bytes,
                    size_t len);

/* A command, self and the words behind it; "" without words. */
void json_add_command(struct json_object *o, const char *name, const char *self,
                      const char *words);

/* A JSON string that has been checked, decoded. */
void json_add_decoded(struct json_object *o, const char *name,
                      struct json_text text);

/* value passes to o. */
void json_add(struct json_object *o, const char *name,
              struct json_object *value);

/* Prints o as a line on stdout and frees it. */
void json_print(struct json_object *o);

#endif
