/* A destination's own rule for what is a success: statuses, whatever the body
 * says. "2xx,409" counts any 2xx, and 409 too. Pure. */
#ifndef DELIVERY_SUCCESS_H
#define DELIVERY_SUCCESS_H

#include "delivery/verdict.h"
#include "spool/error.h"

/* SPOOL_MISUSE says how a rule is written. */
enum spool_status success_check(const char *rule, struct spool_error *err);

/* True if the rule decides: a status it names is delivered, another 2xx holds
 * the destination. Else the profile's judge is to be asked. */
bool success_judge(const char *rule, const struct reply *reply,
                   struct judgement *out);

#endif
