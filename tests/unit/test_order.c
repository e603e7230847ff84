#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "outbox/order.h"
#include "outbox/retain.h"
#include "spool/order.h"
#include "support/box.h"

#define MINUTE ((int64_t)60000)

static void put(struct fixture *f, const char *number, const char *total,
                const char *currency)
{
    struct spool_error err = {0};
    struct outbox_event e = {
        .body = "{}", .len = 2, .part = 3, .order = {number, total, currency}};
    if (outbox_append(f->box, &e, 1, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(e.appended, APPENDED);
}

static int64_t add_destination(struct fixture *f, const char *name, int lanes,
                               int64_t base)
{
    struct spool_error err;
    struct destination d;
    destination_default(&d);
    (void)snprintf(d.name, sizeof d.name, "%s", name);
    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:1");
    d.lanes = lanes;
    d.base = base;
    assert_int_equal(destination_add(f->box, &d, &err), SPOOL_OK);
    return d.id;
}

static struct order_book *open_book(struct fixture *f, const char *name)
{
    struct spool_error err;
    struct order_book *book = NULL;
    if (order_book_open(f->box, name, &book, &err) != SPOOL_OK) {
        fail_msg("%s", err.message);
    }
    return book;
}

/* Looks one number up at one destination. */
static void look(struct fixture *f, const char *number, const char *name,
                 struct order_record *r, struct order_place *p)
{
    struct spool_error err;
    struct order_book *book = open_book(f, name);
    *r = (struct order_record){0};
    assert_int_equal(order_book_width(book), 1);
    assert_int_equal(order_find(book, &number, 1, r, p, &err), SPOOL_OK);
    order_book_close(book);
}

static void expect(struct fixture *f, const char *number, const char *name,
                   const char *state)
{
    struct order_record r;
    struct order_place p;
    look(f, number, name, &r, &p);
    assert_true(r.known);
    assert_string_equal(order_place_state(&p), state);
    assert_int_equal(order_is_delivered(&p), strcmp(state, "delivered") == 0);
}

static const struct take_options take_one = {.most_events = 1};

static void an_order_that_was_never_put_is_unknown(void **state)
{
    struct order_record r;
    struct order_place p;
    put(*state, "4711", NULL, NULL);
    static const char *const other[] = {"", "471", "47111", "4711 ", "04711"};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        look(*state, other[i], "shop", &r, &p);
        assert_false(r.known);
    }
}

static void an_order_has_what_its_event_said(void **state)
{
    struct fixture *f = *state;
    struct order_record r;
    struct order_place p;
    put(f, "4711", "19.90", "EUR");
    f->now += MINUTE;
    put(f, "4712", NULL, NULL);
    look(f, "4711", "shop", &r, &p);
    assert_int_equal(r.id, 1);
    assert_int_equal(r.at, f->now - MINUTE);
    assert_string_equal(r.total, "19.90");
    assert_string_equal(r.currency, "EUR");
    /* sha256sum of {} */
    assert_string_equal(
        r.digest,
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    look(f, "4712", "shop", &r, &p);
    assert_int_equal(r.id, 2);
    assert_string_equal(r.total, "");
    assert_string_equal(r.currency, "");
}

static void an_order_is_where_its_event_is(void **state)
{
    struct fixture *f = *state;
    struct order_record r;
    struct order_place p;
    struct turn turn;
    put(f, "4711", NULL, NULL);
    expect(f, "4711", "shop", "pending");
    fixture_take(f, &turn, TAKEN_BATCH);
    expect(f, "4711", "shop", "sending");
    fixture_settle(f, &turn, OUTCOME_RETRY, TAKEN_WAIT);
    expect(f, "4711", "shop", "retrying");
    f->now += MINUTE;
    fixture_take(f, &turn, TAKEN_BATCH);
    f->now += MINUTE;
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    expect(f, "4711", "shop", "delivered");
    look(f, "4711", "shop", &r, &p);
    assert_int_equal(p.delivered_at, f->now);
    assert_int_equal(p.attempts, 2);
}

static void a_dead_order_has_the_endpoints_words(void **state)
{
    struct fixture *f = *state;
    struct order_record r;
    struct order_place p;
    struct turn turn;
    put(f, "4711", NULL, NULL);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_NOTHING);
    look(f, "4711", "shop", &r, &p);
    assert_string_equal(order_place_state(&p), "dead");
    assert_string_equal(p.code, "CODE");
    assert_string_equal(p.reason, "a reason");
    assert_int_equal(p.delivered_at, 0);
}

static void drop_from_log(struct fixture *f)
{
    static const struct retention hour = {60 * MINUTE, 600 * MINUTE};
    struct spool_error err;
    bool more = true;
    f->now += 60 * MINUTE;
    while (more) {
        assert_int_equal(retain_step(f->box, &hour, &more, &err), SPOOL_OK);
    }
    fixture_verify(f);
}

static void an_order_outlives_its_event(void **state)
{
    struct fixture *f = *state;
    struct order_record r;
    struct order_place p;
    struct turn turn;
    char states[8];
    put(f, "4711", "1", "EUR");
    fixture_take(f, &turn, TAKEN_BATCH);
    f->now += MINUTE;
    int64_t delivered_at = f->now;
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    drop_from_log(f);
    assert_string_equal(fixture_states(f, states, 1), "-");
    look(f, "4711", "shop", &r, &p);
    assert_string_equal(order_place_state(&p), "delivered");
    assert_true(order_is_delivered(&p));
    assert_int_equal(p.delivered_at, delivered_at);
    assert_string_equal(r.total, "1");
    (void)add_destination(f, "late", 1, -1);
    expect(f, "4711", "late", "before");
    expect(f, "4711", "shop", "delivered");
}

static void a_purged_order_is_never_called_delivered(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    struct turn turn;
    struct operation op;
    char states[8];
    struct destination second;
    static const int64_t both[] = {1, 2};
    (void)add_destination(f, "second", 2, 0);
    assert_int_equal(destination_find(f->box, "second", &second, &err),
                     SPOOL_OK);
    put(f, "4711", NULL, NULL);
    fixture_put(f, 1); /* in the other lane */
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    assert_int_equal(
        operate_purge(f->box, &second, both, 2, "a test", &op, &err), SPOOL_OK);
    expect(f, "4711", "second", "purged");
    drop_from_log(f);
    assert_string_equal(fixture_states(f, states, 1), "-");
    expect(f, "4711", "shop", "delivered");
    expect(f, "4711", "second", "gone");
}

static void every_lane_and_destination_is_looked_at(void **state)
{
    struct fixture *f = *state;
    struct turn turn;
    struct spool_error err;
    struct order_record r[2];
    struct order_place p[2 * 3];
    static const char *const numbers[] = {"4711", "4712"};
    put(f, "4711", NULL, NULL);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    int64_t many = add_destination(f, "many", 4, 0);
    (void)add_destination(f, "late", 1, -1);
    put(f, "4712", NULL, NULL);
    assert_int_equal(batch_turn(f->box, many, 3,
                                &(struct order){.take = &take_one}, &turn,
                                &err),
                     SPOOL_OK);
    batch_finish(&turn.batches[0]);
    struct order_book *book = open_book(f, NULL);
    assert_int_equal(order_book_width(book), 3);
    assert_string_equal(order_book_name(book, 1), "many");
    assert_int_equal(order_find(book, numbers, 2, r, p, &err), SPOOL_OK);
    static const char *const want[] = {"delivered", "sending", "before",
                                       "pending",   "pending", "pending"};
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(order_place_state(&p[i]), want[i]);
    }
    assert_int_equal(order_worst(p, 3), 1);
    assert_int_equal(destination_remove(f->box, "late", &(int64_t){0}, &err),
                     SPOOL_OK);
    assert_int_equal(order_find(book, numbers, 2, r, p, &err), SPOOL_NOT_FOUND);
    assert_non_null(strstr(err.message, "late"));
    order_book_close(book);
}

static void without_destinations_an_order_is_pending(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    assert_int_equal(destination_remove(f->box, "shop", &(int64_t){0}, &err),
                     SPOOL_OK);
    put(f, "4711", NULL, NULL);
    expect(f, "4711", NULL, "pending");
    struct order_book *book = open_book(f, NULL);
    assert_string_equal(order_book_name(book, 0), "");
    order_book_close(book);
    assert_int_equal(order_book_open(f->box, "shop", &book, &err),
                     SPOOL_NOT_FOUND);
}

#define IN_LOG(s)                                                              \
    {                                                                          \
        .kind = ORDER_IN_LOG, .state = (s)                                     \
    }

static void the_worst_place_speaks(void **state)
{
    (void)state;
    static const struct order_place by_badness[] = {
        {.kind = ORDER_PASSED},  IN_LOG(EVENT_DELIVERED),
        IN_LOG(EVENT_SENDING),   IN_LOG(EVENT_PENDING),
        IN_LOG(EVENT_HELD),      IN_LOG(EVENT_RETRYING),
        IN_LOG(EVENT_UNCERTAIN), IN_LOG(EVENT_PURGED),
        {.kind = ORDER_GONE},    IN_LOG(EVENT_DEAD),
    };
    for (size_t i = 0; i + 1 < sizeof by_badness / sizeof *by_badness; i++) {
        struct order_place two[] = {by_badness[i], by_badness[i + 1]};
        assert_int_equal(order_worst(two, 2), 1);
        struct order_place turned[] = {by_badness[i + 1], by_badness[i]};
        assert_int_equal(order_worst(turned, 2), 0);
    }
    struct order_place had[] = {IN_LOG(EVENT_DELIVERED),
                                IN_LOG(EVENT_DELIVERED)};
    had[0].delivered_at = 5;
    had[1].delivered_at = 7;
    assert_int_equal(order_worst(had, 2), 1);
    had[0].delivered_at = 9;
    assert_int_equal(order_worst(had, 2), 0);
}

static void all_numbers_come_in_pages(void **state)
{
    struct fixture *f = *state;
    struct spool_error err;
    char page[2][ORDER_NUMBER_SIZE];
    size_t n;
    put(f, "c", NULL, NULL);
    put(f, "a", NULL, NULL);
    put(f, "b", NULL, NULL);
    assert_int_equal(order_numbers(f->box, "", page, 2, &n, &err), SPOOL_OK);
    assert_int_equal(n, 2);
    assert_string_equal(page[0], "a");
    assert_int_equal(order_numbers(f->box, page[1], page, 2, &n, &err),
                     SPOOL_OK);
    assert_int_equal(n, 1);
    assert_string_equal(page[0], "c");
    assert_int_equal(order_numbers(f->box, page[0], page, 2, &n, &err),
                     SPOOL_OK);
    assert_int_equal(n, 0);
}

static void a_number_that_is_no_name_has_a_key(void **state)
{
    (void)state;
    char key[ORDER_NUMBER_SIZE], longest[ORDER_NUMBER_SIZE + 1];
    order_key("4711", 4, key);
    assert_string_equal(key, "4711");
    /* printf '7\tx' | sha256sum */
    order_key("7\tx", 3, key);
    assert_string_equal(
        key,
        "sha256:"
        "6ae1df8f32f2be821dcfa68c914f65388d060339901ffbb5ad477f851a6121a7");
    memset(longest, '7', sizeof longest);
    order_key(longest, ORDER_NUMBER_SIZE - 1, key);
    assert_int_equal(strlen(key), ORDER_NUMBER_SIZE - 1);
    assert_memory_equal(key, longest, ORDER_NUMBER_SIZE - 1);
    order_key(longest, ORDER_NUMBER_SIZE, key);
    assert_int_equal(strlen(key), 7 + 64);
}

/* ---- the public call ---- */

static struct spool *open_spool(struct fixture *f)
{
    struct spool_options options;
    struct spool_error err;
    struct spool *spool = NULL;
    spool_options_default(&options);
    options.path = f->path;
    options.check = SPOOL_CHECK_OFF;
    assert_int_equal(spool_open(&options, &spool, &err), SPOOL_OK);
    return spool;
}

static void a_program_asks_for_an_order(void **state)
{
    struct fixture *f = *state;
    struct spool *spool = open_spool(f);
    struct spool_error err;
    struct spool_order order = {.id = 99};
    struct turn turn;
    static const char event[] =
        "{\"name\":\"CHECKOUT\",\"step\":\"purchase\",\"userId\":\"u\","
        "\"sessionId\":\"s\",\"orderNo\":4711,\"totalPrice\":19.90,"
        "\"currency\":\"EUR\"}";
    assert_int_equal(spool_order(spool, "4711", NULL, &order, &err),
                     SPOOL_NOT_FOUND);
    assert_int_equal(spool_order(spool, "4711", "nix", &order, &err),
                     SPOOL_MISUSE);
    assert_int_equal(err.status, SPOOL_MISUSE);
    assert_non_null(strstr(err.message, "shop"));
    assert_int_equal(order.id, 99);
    assert_int_equal(spool_put(spool, event, strlen(event), NULL, NULL, &err),
                     SPOOL_OK);
    assert_int_equal(spool_order(spool, "4711", NULL, &order, &err), SPOOL_OK);
    assert_int_equal(order.id, 1);
    assert_int_equal(order.state, SPOOL_ORDER_PENDING);
    assert_string_equal(order.destination, "shop");
    assert_string_equal(order.total, "19.90");
    assert_string_equal(order.currency, "EUR");
    assert_int_equal(strlen(order.digest), 64);
    assert_true(order.accepted_at_ms > 0);
    assert_int_equal(order.delivered_at_ms, 0);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    assert_int_equal(spool_order(spool, "4711", "shop", &order, NULL),
                     SPOOL_OK);
    assert_int_equal(order.state, SPOOL_ORDER_DELIVERED);
    assert_int_equal(order.delivered_at_ms, f->now);
    spool_close(spool);
}

static void the_destination_that_is_furthest_from_it_is_named(void **state)
{
    struct fixture *f = *state;
    struct spool *spool = open_spool(f);
    struct spool_error err;
    struct spool_order order;
    struct turn turn;
    put(f, "4711", NULL, NULL);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_DELIVERED, TAKEN_NOTHING);
    const struct spool_destination views = {.name = "views",
                                            .url = "http://127.0.0.1:1",
                                            .profile = "json",
                                            .filter = "name = PAGE_VIEW"};
    assert_int_equal(spool_add_destination(spool, &views, &err), SPOOL_OK);
    assert_int_equal(spool_order(spool, "4711", NULL, &order, &err), SPOOL_OK);
    assert_int_equal(order.state, SPOOL_ORDER_DELIVERED);
    assert_string_equal(order.destination, "shop");
    assert_int_equal(spool_order(spool, "4711", "views", &order, &err),
                     SPOOL_OK);
    assert_int_equal(order.state, SPOOL_ORDER_PASSED);
    (void)add_destination(f, "archive", 1, 0);
    assert_int_equal(spool_order(spool, "4711", NULL, &order, &err), SPOOL_OK);
    assert_int_equal(order.state, SPOOL_ORDER_PENDING);
    assert_string_equal(order.destination, "archive");
    spool_close(spool);
}

#define PURCHASE(price)                                                        \
    "{\"name\":\"CHECKOUT\",\"step\":\"purchase\",\"userId\":\"u\","           \
    "\"sessionId\":\"s\",\"orderNo\":4711,\"totalPrice\":" price "}"

static void expect_put(struct spool *spool, const char *json,
                       enum spool_status want, int64_t id)
{
    struct spool_receipt r;
    assert_int_equal(spool_put(spool, json, strlen(json), NULL, &r, NULL),
                     want);
    assert_int_equal(r.id, id);
}

static void purge(struct fixture *f, const char *name, int64_t id)
{
    struct spool_error err;
    struct destination d;
    struct operation op;
    assert_int_equal(destination_find(f->box, name, &d, &err), SPOOL_OK);
    assert_int_equal(operate_purge(f->box, &d, &id, 1, "a test", &op, &err),
                     SPOOL_OK);
    assert_int_equal(op.changed, 1);
}

static void an_order_purged_everywhere_gives_its_number_up(void **state)
{
    struct fixture *f = *state;
    struct spool *spool = open_spool(f);
    struct spool_error err;
    struct spool_order order;
    struct turn turn;
    static const char first[] = PURCHASE("1"), mended[] = PURCHASE("2");
    const struct spool_destination views = {.name = "views",
                                            .url = "http://127.0.0.1:1",
                                            .profile = "json",
                                            .filter = "name = PAGE_VIEW"};
    (void)add_destination(f, "archive", 4, 0);
    assert_int_equal(spool_add_destination(spool, &views, &err), SPOOL_OK);
    expect_put(spool, first, SPOOL_OK, 1);
    expect_put(spool, mended, SPOOL_CONFLICT, 1);
    fixture_take(f, &turn, TAKEN_BATCH);
    fixture_settle(f, &turn, OUTCOME_REFUSED, TAKEN_NOTHING);
    expect_put(spool, mended, SPOOL_CONFLICT, 1); /* a dead one may go again */
    purge(f, "shop", 1);
    expect_put(spool, mended, SPOOL_CONFLICT, 1); /* the archive gets it */
    purge(f, "archive", 1);
    expect_put(spool, first, SPOOL_DUPLICATE, 1);
    expect_put(spool, mended, SPOOL_OK, 2);
    expect_put(spool, mended, SPOOL_DUPLICATE, 2);
    expect_put(spool, first, SPOOL_CONFLICT, 2);
    assert_int_equal(spool_order(spool, "4711", NULL, &order, &err), SPOOL_OK);
    assert_int_equal(order.id, 2);
    assert_int_equal(order.state, SPOOL_ORDER_PENDING);
    assert_string_equal(order.total, "2");
    spool_close(spool);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_order_that_was_never_put_is_unknown),
        TEST(an_order_has_what_its_event_said),
        TEST(an_order_is_where_its_event_is),
        TEST(a_dead_order_has_the_endpoints_words),
        TEST(an_order_outlives_its_event),
        TEST(a_purged_order_is_never_called_delivered),
        TEST(every_lane_and_destination_is_looked_at),
        TEST(without_destinations_an_order_is_pending),
        cmocka_unit_test(the_worst_place_speaks),
        TEST(all_numbers_come_in_pages),
        cmocka_unit_test(a_number_that_is_no_name_has_a_key),
        TEST(a_program_asks_for_an_order),
        TEST(the_destination_that_is_furthest_from_it_is_named),
        TEST(an_order_purged_everywhere_gives_its_number_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
