/* A file of order numbers against the spool: which were never put, wait, are
 * dead, were delivered. The file is streamed; what is kept of it is a digest of
 * each number. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cmd.h"
#include "column.h"
#include "human.h"
#include "number_set.h"
#include "orders.h"
#include "table.h"
#include "tally.h"
#include "when.h"

struct reconcile {
    struct ctl *ctl;
    struct orders orders;
    struct column column;
    struct tally tally;
    struct number_set seen;
    struct table *table; /* NULL: none yet */
    int64_t repeated, unnamed;
    /* The page that is being filled. */
    size_t n;
    char *numbers[ORDERS_PAGE];
    char text[ORDERS_PAGE][COLUMN_VALUE_MAX + 1];
    int64_t lines[ORDERS_PAGE];
};

/* ---- one order ---- */

static const char *state_words(const struct reconcile *r,
                               const struct order_record *record,
                               const struct order_place *p)
{
    return record->known         ? order_place_state(p)
           : r->orders.set_aside ? "not known"
                                 : "never put";
}

static void add_row(struct reconcile *r, size_t i, size_t at)
{
    static const struct table_column columns[] = {
        {"LINE", RIGHT, 0},       {"NUMBER", LEFT, 0}, {"STATE", LEFT, 9},
        {"DESTINATION", LEFT, 0}, {"EVENT", RIGHT, 0}, {"ACCEPTED", LEFT, 0},
        {"TOTAL", RIGHT, 0},      {"ANSWER", CUT, 0},
    };
    const struct order_record *record = &r->orders.records[i];
    const struct order_place *p = &orders_places(&r->orders, i)[at];
    char line[24] = "", id[24] = "", accepted[WHEN_SIZE] = "";
    char total[96] = "", answer[600] = "";
    const char *unknown = r->orders.set_aside ? orders_unknown : "";
    if (r->table == NULL) {
        r->table = table_create(columns, sizeof columns / sizeof *columns);
    }
    if (r->lines[i] > 0) {
        (void)snprintf(line, sizeof line, "%lld", (long long)r->lines[i]);
    }
    if (record->known) {
        (void)snprintf(id, sizeof id, "%lld", (long long)record->id);
        time_text(record->at, accepted);
        (void)snprintf(total, sizeof total, "%s%s%s", record->total,
                       record->currency[0] != '\0' ? " " : "",
                       record->currency);
        (void)human_answer(p->code, p->reason, answer, sizeof answer);
    }
    const char *cells[] = {line,
                           r->numbers[i],
                           state_words(r, record, p),
                           record->known ? order_book_name(r->orders.book, at)
                                         : "",
                           id,
                           accepted,
                           total,
                           record->known ? answer : unknown};
    table_add(r->table, cells,
              !record->known            ? BAD
              : p->kind == ORDER_IN_LOG ? tone_of_event(p->state)
              : order_is_delivered(p)   ? GOOD
                                        : PLAIN);
}

/* Two spellings in a file may be found to be one number: counted once. */
static enum ending see(struct reconcile *r, const char *number, bool *is_new)
{
    char key[ORDER_NUMBER_SIZE];
    order_key(number, strlen(number), key);
    if (!number_set_add(&r->seen, key, is_new)) {
        ctl_warn("out of memory for the numbers of %s", r->column.file);
        return FAILED;
    }
    r->repeated += *is_new ? 0 : 1;
    return DONE;
}

/* named: by the file. */
static void print_order(struct reconcile *r, size_t i, bool named)
{
    const struct order_record *record = &r->orders.records[i];
    const struct order_place *places = orders_places(&r->orders, i);
    size_t at = record->known ? order_worst(places, r->orders.width) : 0;
    bool delivered = record->known && order_is_delivered(&places[at]);
    if (named) {
        tally_add(&r->tally, record, &places[at], r->orders.set_aside);
    }
    if (r->ctl->json) {
        struct json_object *o = orders_json(&r->orders, r->numbers[i], i, at);
        if (named) {
            json_add_number(o, "line", r->lines[i]);
        } else {
            json_add(o, "line", NULL);
        }
        json_print(o);
    } else if (!delivered || !named) {
        add_row(r, i, at);
    }
}

static enum ending take_order(struct reconcile *r, size_t i, bool named)
{
    bool is_new = true;
    enum ending ending = named ? see(r, r->numbers[i], &is_new) : DONE;
    if (ending == DONE && is_new) {
        print_order(r, i, named);
    }
    return ending;
}

static enum ending take_page(struct reconcile *r, bool named)
{
    enum ending ending =
        r->n > 0 ? orders_find(&r->orders, r->numbers, r->n) : DONE;
    for (size_t i = 0; ending == DONE && i < r->n && ctl_can_print(); i++) {
        ending = take_order(r, i, named);
    }
    r->n = 0;
    return ending;
}

static void finish_table(struct reconcile *r)
{
    if (r->table != NULL) {
        table_finish(r->table);
        r->table = NULL;
    }
}

/* ---- the file ---- */

static enum ending take_number(struct reconcile *r)
{
    memcpy(r->text[r->n], r->column.given, strlen(r->column.given) + 1);
    r->numbers[r->n] = r->text[r->n];
    r->lines[r->n++] = r->column.row_line;
    return r->n == ORDERS_PAGE ? take_page(r, true) : DONE;
}

static enum ending read_file(struct reconcile *r)
{
    struct spool_error err;
    enum ending ending = DONE;
    enum spool_status status = column_start(&r->column, &err);
    while (status == SPOOL_OK && ending == DONE && ctl_can_print()) {
        status = column_next(&r->column, &err);
        if (status == SPOOL_OK) {
            ending = take_number(r);
        }
    }
    if (status == SPOOL_NOT_FOUND || ending != DONE) {
        return ending == DONE ? take_page(r, true) : ending;
    }
    return status == SPOOL_OK ? DONE : ctl_failed(&err);
}

/* ---- what the file does not name ---- */

static_assert(ORDER_NUMBER_SIZE <= COLUMN_VALUE_MAX, "a number fits a line");

static enum ending take_unnamed(struct reconcile *r, const char *number)
{
    r->unnamed++;
    if (!ctl_has(r->ctl, OPTION_REVERSE)) {
        return DONE;
    }
    if (r->unnamed == 1 && !r->ctl->json) {
        char file[HUMAN_PATH_SIZE];
        (void)printf("\nin the spool, and not in %s:\n",
                     human_words(r->column.file, file, sizeof file));
    }
    memcpy(r->text[r->n], number, strlen(number) + 1);
    r->numbers[r->n] = r->text[r->n];
    r->lines[r->n++] = 0;
    return r->n == ORDERS_PAGE ? take_page(r, false) : DONE;
}

static enum ending read_spool(struct reconcile *r)
{
    char page[ORDERS_PAGE][ORDER_NUMBER_SIZE], behind[ORDER_NUMBER_SIZE] = "";
    struct spool_error err;
    enum ending ending = DONE;
    for (size_t n = ORDERS_PAGE; ending == DONE && n > 0 && ctl_can_print();) {
        if (order_numbers(r->ctl->box, behind, page, ORDERS_PAGE, &n, &err) !=
            SPOOL_OK) {
            (void)ctl_failed(&err);
            return FAILED;
        }
        for (size_t i = 0; ending == DONE && i < n; i++) {
            if (!number_set_has(&r->seen, page[i])) {
                ending = take_unnamed(r, page[i]);
            }
            memcpy(behind, page[i], sizeof behind);
        }
    }
    return ending == DONE ? take_page(r, false) : ending;
}

/* ---- the command ---- */

static void print_rest(const struct reconcile *r)
{
    char n[HUMAN_SIZE], file[HUMAN_PATH_SIZE];
    if (r->repeated > 0) {
        (void)printf("; %s repeated", human_count(r->repeated, n));
    }
    if (r->column.blank > 0) {
        (void)printf("; %s row%s without a number",
                     human_count(r->column.blank, n),
                     r->column.blank == 1 ? "" : "s");
    }
    (void)printf("; %s purchase%s of the spool %s not in %s\n",
                 human_count(r->unnamed, n), r->unnamed == 1 ? "" : "s",
                 r->unnamed == 1 ? "is" : "are",
                 human_words(r->column.file, file, sizeof file));
}

static void print_summary(const struct reconcile *r)
{
    if (!r->ctl->json) {
        tally_print(&r->tally);
        print_rest(r);
        if (r->tally.lines[TALLY_UNKNOWN].orders > 0) {
            ctl_say(r->ctl, "%s", orders_unknown);
            ctl_next(r->ctl, "recover");
        }
        return;
    }
    struct json_object *o = json_make(), *line = json_make();
    tally_json(&r->tally, o);
    json_add_number(o, "repeated", r->repeated);
    json_add_number(o, "blank", r->column.blank);
    json_add_number(o, "unnamed", r->unnamed);
    json_add(line, "summary", o);
    json_print(line);
}

static enum ending reconcile(struct reconcile *r)
{
    enum ending ending = read_file(r);
    finish_table(r);
    if (ending == DONE && r->seen.n == 0) {
        ctl_warn("%s has no order numbers", r->column.file);
        return NOTHING;
    }
    if (ending == DONE) {
        ending = read_spool(r);
        finish_table(r);
    }
    if (ending != DONE) {
        return ending;
    }
    print_summary(r);
    return tally_is_delivered(&r->tally) ? DONE : PARTLY;
}

static enum ending open_file(struct reconcile *r, const char *name)
{
    static const char *const heads[] = {"orderNo", "order", "number", NULL};
    struct spool_error err;
    bool is_stdin = strcmp(name, "-") == 0;
    r->column.file = is_stdin ? "stdin" : name;
    r->column.in = is_stdin ? stdin : fopen(name, "r");
    r->column.wanted = ctl_value(r->ctl, OPTION_COLUMN);
    r->column.heads = heads;
    if (r->column.in == NULL) {
        (void)failed_errno(&err, "cannot open %s", name);
        (void)ctl_failed(&err);
        return FAILED;
    }
    return DONE;
}

enum ending cmd_reconcile(struct ctl *ctl)
{
    struct reconcile *r = calloc(1, sizeof *r);
    if (r == NULL) {
        ctl_warn("out of memory");
        return FAILED;
    }
    r->ctl = ctl;
    enum ending ending = open_file(r, ctl->arguments[0]);
    if (ending == DONE) {
        ending = ctl_open(ctl, false);
    }
    if (ending == DONE) {
        ending = orders_open(ctl, &r->orders);
    }
    if (ending == DONE) {
        ending = reconcile(r);
    }
    if (r->column.in != NULL && r->column.in != stdin) {
        (void)fclose(r->column.in);
    }
    orders_finish(&r->orders);
    number_set_finish(&r->seen);
    free(r);
    return ending;
}
