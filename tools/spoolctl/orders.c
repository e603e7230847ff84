#include "orders.h"

#include <stdlib.h>
#include <string.h>

#include "outbox/recover.h"

const char orders_unknown[] = "the outbox was damaged, and spoolctl recover "
                              "has not put back what it held";

enum ending orders_open(struct ctl *ctl, struct orders *out)
{
    struct spool_error err;
    char file[ASIDE_PATH_SIZE];
    *out = (struct orders){0};
    if (order_book_open(ctl->box, ctl_value(ctl, OPTION_DESTINATION),
                        &out->book, &err) != SPOOL_OK ||
        recover_waiting(ctl->box, file, &err) != SPOOL_OK) {
        return ctl_failed(&err);
    }
    out->set_aside = file[0] != '\0';
    out->width = order_book_width(out->book);
    out->records = calloc(ORDERS_PAGE, sizeof *out->records);
    out->places = calloc(ORDERS_PAGE * out->width, sizeof *out->places);
    if (out->records == NULL || out->places == NULL) {
        ctl_warn("out of memory");
        return FAILED;
    }
    return DONE;
}

void orders_finish(struct orders *o)
{
    order_book_close(o->book);
    free(o->records);
    free(o->places);
    *o = (struct orders){0};
}

bool orders_trim(char *text)
{
    size_t len = strlen(text), from = strspn(text, " \t"), to = len;
    while (to > from && (text[to - 1] == ' ' || text[to - 1] == '\t')) {
        to--;
    }
    memmove(text, text + from, to - from);
    text[to - from] = '\0';
    return to - from < len;
}

/* From the i-th on. */
static enum ending look_up(struct orders *o, const char *const *numbers,
                           size_t i, size_t n)
{
    struct spool_error err;
    if (order_find(o->book, numbers + i, n, o->records + i,
                   o->places + i * o->width, &err) != SPOOL_OK) {
        (void)ctl_failed(&err);
        return FAILED;
    }
    return DONE;
}

enum ending orders_find(struct orders *o, char *const *numbers, size_t n)
{
    const char *asked[ORDERS_PAGE];
    memcpy(asked, numbers, n * sizeof *asked);
    enum ending ending = look_up(o, asked, 0, n);
    for (size_t i = 0; ending == DONE && i < n; i++) {
        if (!o->records[i].known && orders_trim(numbers[i])) {
            ending = look_up(o, asked, i, 1);
        }
    }
    return ending;
}

const struct order_place *orders_places(const struct orders *o, size_t i)
{
    return o->places + i * o->width;
}

struct json_object *orders_json(const struct orders *o, const char *number,
                                size_t i, size_t at)
{
    static const struct order_place nowhere;
    const struct order_record *r = &o->records[i];
    const struct order_place *p =
        r->known ? orders_places(o, i) + at : &nowhere;
    struct json_object *line = json_make();
    json_add_text(line, "number", number);
    if (r->known) {
        json_add_number(line, "id", r->id);
    } else {
        json_add(line, "id", NULL);
    }
    json_add_text(line, "destination",
                  r->known ? order_book_name(o->book, at) : "");
    json_add_text(line, "state",
                  r->known       ? order_place_state(p)
                  : o->set_aside ? "unknown"
                                 : "missing");
    json_add_time(line, "accepted_ms", r->at);
    json_add_time(line, "delivered_ms", p->delivered_at);
    json_add_text(line, "total", r->total);
    json_add_text(line, "currency", r->currency);
    json_add_text(line, "digest", r->digest);
    json_add_text(line, "code", p->code);
    json_add_text(line, "reason",
                  r->known || !o->set_aside ? p->reason : orders_unknown);
    return line;
}
