/* The survey of a lane's backlog, on the thread pool beside its turns: when one
 * of them finds a long one, and all goes well, it is looked through a slice at
 * a time, and the turns that follow let new events overtake it. All calls on
 * the loop's thread. */
#ifndef DELIVERY_SURVEY_H
#define DELIVERY_SURVEY_H

#include <uv.h>

#include "outbox/batch.h"

struct survey {
    struct outbox *box;
    uv_loop_t *loop;
    int64_t destination;
    int lane;
    void (*done)(void *arg); /* a step has ended, or the pause behind it */
    void *arg;
    struct backlog *backlog; /* NULL: there is none, as far as is known */
    bool wanted;             /* the last turn found one */
    bool stepping;
    bool pausing;         /* behind a step */
    bool ready;           /* it is known */
    int64_t now, next_at; /* mono ms: the last turn; no new one before */
    uv_timer_t timer;
    uv_work_t work;
    enum spool_status status;
    bool stepped; /* to the end */
};

void survey_init(struct survey *s, struct outbox *box, uv_loop_t *loop,
                 int64_t destination, int lane, void (*done)(void *arg),
                 void *arg);
void survey_finish(struct survey *s); /* not while it steps */

/* Once it is finished: closed is called when the memory may be freed; the
 * handle's data is s->arg then. */
void survey_close(struct survey *s, uv_close_cb closed);

/* What a turn says of the backlog it was given, or found. */
void survey_follow(struct survey *s, const struct turn *turn, int64_t mono_ms);

/* The next step, if one is wanted and may be made now. */
void survey_go_on(struct survey *s, bool may);

/* The backlog when it is known, for the next turn; else NULL. */
struct backlog *survey_known(const struct survey *s);

#endif
