/* Was order 4711 delivered? A sentence an order and destination. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "human.h"
#include "orders.h"
#include "when.h"

struct order_run {
    struct ctl *ctl;
    struct orders orders;
    bool missing, undelivered; /* so far */
};

/* order 4711 (19.90 EUR) */
static void print_subject(const char *number, const struct order_record *r)
{
    char name[2 * ORDER_NUMBER_SIZE], total[128], currency[64];
    (void)printf("order %s", human_words(number, name, sizeof name));
    if (r->total[0] != '\0') {
        (void)printf(" (%s%s%s)", human_words(r->total, total, sizeof total),
                     r->currency[0] != '\0' ? " " : "",
                     human_words(r->currency, currency, sizeof currency));
    }
}

static void print_state(const struct order_place *p, const char *name)
{
    char at[WHEN_SIZE];
    const char *state = order_place_state(p);
    if (order_is_delivered(p)) {
        time_text(p->delivered_at, at);
        (void)printf(" was delivered to %s on %s", name, at);
    } else if (p->kind == ORDER_GONE) {
        (void)printf(" has left the spool and is not known to have been "
                     "delivered to %s",
                     name);
    } else if (p->kind == ORDER_PASSED) {
        (void)printf(" does not go to %s, whose filter passes it over", name);
    } else if (p->kind == ORDER_BEFORE) {
        (void)printf(" does not go to %s, which began to read behind it", name);
    } else if (name[0] == '\0') {
        (void)printf(" is %s: no destination is set up", state);
    } else if (p->state == EVENT_PURGED) {
        (void)printf(" was purged at %s", name);
    } else {
        (void)printf(" is %s at %s", state, name);
    }
}

static void print_sentence(const char *number, const struct order_record *r,
                           const struct order_place *p, const char *name)
{
    char clean[600];
    print_subject(number, r);
    print_state(p, name[0] != '\0' || p->kind == ORDER_IN_LOG
                       ? name
                       : "any destination");
    (void)printf(", event %lld", (long long)r->id);
    if (p->kind == ORDER_IN_LOG && p->state != EVENT_DELIVERED) {
        if (p->attempts > 0) {
            (void)printf(", after %d attempt%s", p->attempts,
                         p->attempts == 1 ? "" : "s");
        }
        if (p->code[0] != '\0' || p->reason[0] != '\0') {
            (void)printf(": %s",
                         human_answer(p->code, p->reason, clean, sizeof clean));
        }
    }
    (void)putchar('\n');
}

static void print_order(struct order_run *run, const char *number, size_t i)
{
    const struct orders *o = &run->orders;
    const struct order_record *r = &o->records[i];
    const struct order_place *places = orders_places(o, i);
    if (!r->known) {
        run->missing = true;
    } else if (!order_is_delivered(&places[order_worst(places, o->width)])) {
        run->undelivered = true;
    }
    if (!r->known && !run->ctl->json) {
        char name[2 * ORDER_NUMBER_SIZE];
        (void)printf("order %s %s%s\n", human_words(number, name, sizeof name),
                     o->set_aside ? "is not known: " : "was never put",
                     o->set_aside ? orders_unknown : "");
    }
    for (size_t at = 0; at < (r->known ? o->width : 1); at++) {
        if (run->ctl->json) {
            json_print(orders_json(o, number, i, at));
        } else if (r->known) {
            print_sentence(number, r, &places[at],
                           order_book_name(o->book, at));
        }
    }
}

static enum ending check_numbers(struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->arguments_n; i++) {
        const char *text = ctl->arguments[i];
        if (text[strspn(text, " \t")] == '\0') {
            return ctl_misuse(ctl, "an order number is empty");
        }
    }
    return DONE;
}

static enum ending print_orders(struct order_run *run)
{
    const struct ctl *ctl = run->ctl;
    enum ending ending = DONE;
    for (size_t from = 0; ending == DONE && from < ctl->arguments_n;) {
        char *numbers[ORDERS_PAGE];
        size_t n = 0;
        while (n < ORDERS_PAGE && from < ctl->arguments_n) {
            numbers[n++] = ctl->arguments[from++];
        }
        ending = orders_find(&run->orders, numbers, n);
        for (size_t i = 0; ending == DONE && i < n; i++) {
            print_order(run, numbers[i], i);
        }
    }
    return ending;
}

enum ending cmd_order(struct ctl *ctl)
{
    struct order_run run = {.ctl = ctl};
    enum ending ending = check_numbers(ctl);
    if (ending == DONE) {
        ending = ctl_open(ctl, false);
    }
    if (ending == DONE) {
        ending = orders_open(ctl, &run.orders);
    }
    if (ending == DONE) {
        ending = print_orders(&run);
    }
    bool set_aside = run.orders.set_aside;
    if (ending == DONE && run.missing && set_aside && !ctl->json) {
        ctl_next(ctl, "recover");
    }
    orders_finish(&run.orders);
    if (ending != DONE) {
        return ending;
    }
    /* What nobody knows now may have been put: not to be put again. */
    return run.missing && !set_aside        ? NOTHING
           : run.missing || run.undelivered ? PARTLY
                                            : DONE;
}
