#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "column.h"

static const char *const heads[] = {"orderNo", "order", "number", NULL};

/* Reads all of text: the values with | between them into out, and how it ended
 * (NOT_FOUND is the good end). */
static enum spool_status read_all(const char *text, size_t len,
                                  const char *wanted, char *out, size_t size,
                                  struct column *c, struct spool_error *err)
{
    *c =
        (struct column){.in = len > 0 ? fmemopen((char *)(size_t)text, len, "r")
                                      : fopen("/dev/null", "r"),
                        .file = "FILE",
                        .wanted = wanted,
                        .heads = heads};
    assert_non_null(c->in);
    out[0] = '\0';
    enum spool_status status = column_start(c, err);
    while (status == SPOOL_OK) {
        status = column_next(c, err);
        if (status == SPOOL_OK) {
            size_t n = strlen(out);
            (void)snprintf(out + n, size - n, "%s%s", n > 0 ? "|" : "",
                           c->value);
        }
    }
    (void)fclose(c->in);
    return status;
}

static void values_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted, *want;
        int blank;
    } cases[] = {
        {"", NULL, "", 0},
        {"\n\r\n\n", NULL, "", 0},
        {"4711", NULL, "4711", 0},
        {"4711\n4712\n", NULL, "4711|4712", 0},
        {"4711\r\n4712\r\n", NULL, "4711|4712", 0},
        {"4711\r4712\r4713\r", NULL, "4711|4712|4713", 0},
        {"\r\r4711\r\r\n4712", NULL, "4711|4712", 0},
        {"orderNo\r\"4711\"\r\"47\r12\"", NULL, "4711|47\r12", 0},
        {"\n4711\n\n\n4712", NULL, "4711|4712", 0},
        {"  4711\t\n \n4 7 \n", NULL, "4711|4 7", 1},
        {"\xEF\xBB\xBF"
         "4711\n",
         NULL, "4711", 0},
        {"\xEF\xBB\xBF\"4711\"\n", NULL, "4711", 0},
        {"\xEF\xBC\x94\n", NULL, "\xEF\xBC\x94", 0},
        /* one column: a later comma is part of the value */
        {"4711\n47,12\n", NULL, "4711|47,12", 0},
        {"12\"\n", NULL, "12\"", 0},
        /* headers */
        {"orderNo\n4711\n", NULL, "4711", 0},
        {"ORDERNO\n4711\n", NULL, "4711", 0},
        {"Number,total\n4711,1\n", NULL, "4711", 0},
        {"\"order\"\n4711\n", NULL, "4711", 0},
        {"order 1\n4711\n", NULL, "order 1|4711", 0},
        {"4711\norder\n", NULL, "4711|order", 0},
        {"number,ref\n1,A\n", "2", "A", 0},
        {"date,orderNo\nmay,A\n", "2", "A", 0},
        {"date,ref\nmay,A\n", "2", "ref|A", 0},
        {"date,Ref\nmay,A\n", "ref", "A", 0},
        {"ref,ref\n1,2\n", "ref", "1", 0},
        {"\xEF\xBB\xBF"
         "ref,x\n1,2\n",
         "ref", "1", 0},
        /* columns, quotes, separators */
        {"1,2,3\n4,5,6\n", "3", "3|6", 0},
        {"1;2\n3,5;4\n", "2", "2|4", 0},
        {"1\t2\n3,5\t4\n", "2", "2|4", 0},
        {"\"a,b\",2\n\"c\nd\",3\n", "1", "a,b|c\nd", 0},
        {"\"a\"\"b\"\n\"\"\"\"\n", NULL, "a\"b|\"", 0},
        {"\"4711\" ,x\n", NULL, "4711", 0},
        {"\"4711\"\r\n\"4712\"", NULL, "4711|4712", 0},
        {"1,A\n2\n,\n3,\n4,B", "2", "A|B", 3},
        {"1,2\n\"\"\n", NULL, "1", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct column c;
        struct spool_error err = {0};
        char out[256];
        enum spool_status status =
            read_all(cases[i].text, strlen(cases[i].text), cases[i].wanted, out,
                     sizeof out, &c, &err);
        if (status != SPOOL_NOT_FOUND || strcmp(out, cases[i].want) != 0 ||
            c.blank != cases[i].blank) {
            fail_msg("case %zu: '%s', %d blank, %s", i, out, (int)c.blank,
                     err.message);
        }
    }
}

static void a_value_is_also_there_as_given(void **state)
{
    (void)state;
    char text[] = "number;x\n 4711\t;\" y\"\n";
    struct column c = {.in = fmemopen(text, sizeof text - 1, "r"),
                       .file = "FILE",
                       .heads = heads};
    struct spool_error err;
    assert_non_null(c.in);
    assert_int_equal(column_start(&c, &err), SPOOL_OK);
    assert_int_equal(column_next(&c, &err), SPOOL_OK);
    assert_string_equal(c.value, "4711");
    assert_string_equal(c.given, " 4711\t");
    (void)fclose(c.in);
}

static void what_is_no_column_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
        enum spool_status want;
        const char *words;
    } cases[] = {
        {"4711\n\"4712\n4713\n", NULL, SPOOL_INVALID, "FILE, line 2: a quote"},
        {"\r\r\n\"47\r11\r\n\"\r\"4712", NULL, SPOOL_INVALID,
         "FILE, line 6: a quote"},
        {"\"a\nb\",1\n\"4712\"3\n", NULL, SPOOL_INVALID,
         "FILE, line 3: something stands behind"},
        {"a,b\n", "c", SPOOL_MISUSE, "no column 'c'"},
        {"a,b\n", "0", SPOOL_MISUSE, "counted from 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct column c;
        struct spool_error err = {0};
        char out[256];
        assert_int_equal(read_all(cases[i].text, strlen(cases[i].text),
                                  cases[i].wanted, out, sizeof out, &c, &err),
                         cases[i].want);
        if (strstr(err.message, cases[i].words) == NULL) {
            fail_msg("case %zu: %s", i, err.message);
        }
    }
}

static void another_encoding_is_noticed(void **state)
{
    (void)state;
    static const char utf16[] = "4\0007\0001\0001\000\n";
    struct column c;
    struct spool_error err;
    char out[64];
    assert_int_equal(
        read_all(utf16, sizeof utf16, NULL, out, sizeof out, &c, &err),
        SPOOL_INVALID);
    assert_non_null(strstr(err.message, "UTF-8"));
}

static void a_long_field_matters_only_in_the_column(void **state)
{
    (void)state;
    struct column c;
    struct spool_error err;
    char out[64];
    size_t len = 3 * sizeof c.block;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'x', len);
    memcpy(text, "4711,", 5);
    memcpy(text + len - 5, "\n4712", 5);
    assert_int_equal(read_all(text, len, "1", out, sizeof out, &c, &err),
                     SPOOL_NOT_FOUND);
    assert_string_equal(out, "4711|4712");
    assert_int_equal(c.row_line, 2);
    assert_int_equal(read_all(text, len, "2", out, sizeof out, &c, &err),
                     SPOOL_INVALID);
    free(text);
}

static void a_file_that_cannot_be_read_says_so(void **state)
{
    (void)state;
    struct column c = {
        .in = fopen("/tmp", "r"), .file = "/tmp", .heads = heads};
    struct spool_error err;
    assert_non_null(c.in);
    assert_int_equal(column_start(&c, &err), SPOOL_IO);
    assert_non_null(strstr(err.message, "cannot read /tmp"));
    (void)fclose(c.in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found),
        cmocka_unit_test(a_value_is_also_there_as_given),
        cmocka_unit_test(what_is_no_column_is_refused_with_its_line),
        cmocka_unit_test(another_encoding_is_noticed),
        cmocka_unit_test(a_long_field_matters_only_in_the_column),
        cmocka_unit_test(a_file_that_cannot_be_read_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
