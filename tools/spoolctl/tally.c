#include "tally.h"

#include <stdio.h>
#include <string.h>

#include "human.h"

static const struct {
    const char *member, *words;
} names[TALLY_KINDS] = {
    [TALLY_DELIVERED] = {"delivered", "delivered"},
    [TALLY_WAITING] = {"waiting", "waiting"},
    [TALLY_DEAD] = {"dead", "dead"},
    [TALLY_PURGED] = {"purged", "purged"},
    [TALLY_GONE] = {"gone", "gone undelivered"},
    [TALLY_PASSED] = {"passed", "for no destination"},
    [TALLY_UNKNOWN] = {"unknown", "not known"},
    [TALLY_MISSING] = {"missing", "never put"},
};

static enum tally_kind kind_in_log(enum event_state state)
{
    switch (state) {
    case EVENT_PENDING:
    case EVENT_SENDING:
    case EVENT_RETRYING:
    case EVENT_UNCERTAIN:
    case EVENT_HELD:
        return TALLY_WAITING;
    case EVENT_DELIVERED:
        return TALLY_DELIVERED;
    case EVENT_DEAD:
        return TALLY_DEAD;
    case EVENT_PURGED:
        return TALLY_PURGED;
    }
    return TALLY_WAITING;
}

static enum tally_kind kind_of(const struct order_record *r,
                               const struct order_place *p, bool set_aside)
{
    if (!r->known) {
        return set_aside ? TALLY_UNKNOWN : TALLY_MISSING;
    }
    switch (p->kind) {
    case ORDER_IN_LOG:
        return kind_in_log(p->state);
    case ORDER_DROPPED:
        return TALLY_DELIVERED;
    case ORDER_GONE:
        return TALLY_GONE;
    case ORDER_PASSED:
    case ORDER_BEFORE:
        return TALLY_PASSED;
    }
    return TALLY_GONE;
}

/* NULL when there are too many. */
static struct tally_sum *sum_of(struct tally_line *line, const char *currency)
{
    for (size_t i = 0; i < line->currencies; i++) {
        if (strcmp(line->sums[i].currency, currency) == 0) {
            return &line->sums[i];
        }
    }
    if (line->currencies == TALLY_CURRENCIES) {
        return NULL;
    }
    struct tally_sum *sum = &line->sums[line->currencies++];
    (void)snprintf(sum->currency, sizeof sum->currency, "%s", currency);
    return sum;
}

void tally_add(struct tally *t, const struct order_record *r,
               const struct order_place *p, bool set_aside)
{
    struct tally_line *line = &t->lines[kind_of(r, p, set_aside)];
    struct money m;
    line->orders++;
    if (!r->known) {
        return;
    }
    struct tally_sum *sum =
        money_parse(r->total, &m) ? sum_of(line, r->currency) : NULL;
    if (sum == NULL || !money_add(&sum->money, &m)) {
        t->unreadable++;
    } else {
        sum->orders++;
    }
}

static int64_t numbers(const struct tally *t)
{
    int64_t n = 0;
    for (int kind = 0; kind < TALLY_KINDS; kind++) {
        n += t->lines[kind].orders;
    }
    return n;
}

bool tally_is_delivered(const struct tally *t)
{
    return t->lines[TALLY_DELIVERED].orders == numbers(t);
}

static void print_sums(const struct tally_line *line)
{
    for (size_t i = 0; i < line->currencies; i++) {
        const struct tally_sum *sum = &line->sums[i];
        char amount[MONEY_SIZE], currency[64];
        (void)printf("%s%s%s%s", i == 0 ? " (" : ", ",
                     money_text(&sum->money, amount),
                     sum->currency[0] != '\0' ? " " : "",
                     human_words(sum->currency, currency, sizeof currency));
    }
    (void)fputs(line->currencies > 0 ? ")" : "", stdout);
}

void tally_print(const struct tally *t)
{
    char n[HUMAN_SIZE];
    const char *between = ": ";
    int64_t all = numbers(t);
    (void)printf("%s number%s", human_count(all, n), all == 1 ? "" : "s");
    for (int kind = 0; kind < TALLY_KINDS; kind++) {
        const struct tally_line *line = &t->lines[kind];
        if (line->orders > 0) {
            (void)printf("%s%s %s", between, human_count(line->orders, n),
                         names[kind].words);
            print_sums(line);
            between = ", ";
        }
    }
    if (t->unreadable > 0) {
        (void)printf("; %s total%s not summed, being no amount",
                     human_count(t->unreadable, n),
                     t->unreadable == 1 ? "" : "s");
    }
}

void tally_json(const struct tally *t, struct json_object *o)
{
    struct json_object *totals = json_object_new_array();
    json_add_number(o, "numbers", numbers(t));
    for (int kind = 0; kind < TALLY_KINDS; kind++) {
        const struct tally_line *line = &t->lines[kind];
        json_add_number(o, names[kind].member, line->orders);
        for (size_t i = 0; i < line->currencies; i++) {
            char amount[MONEY_SIZE];
            struct json_object *sum = json_make();
            json_add_text(sum, "state", names[kind].member);
            json_add_text(sum, "currency", line->sums[i].currency);
            json_add_text(sum, "total",
                          money_text(&line->sums[i].money, amount));
            json_add_number(sum, "orders", line->sums[i].orders);
            (void)json_object_array_add(totals, sum);
        }
    }
    json_add(o, "totals", totals);
    json_add_number(o, "unreadable", t->unreadable);
}
