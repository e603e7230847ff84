#include "table.h"

#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Rows printed together: their widths are those of the rows to come. */
#define ROWS 250

struct table {
    struct libscols_table *scols;
    size_t columns, rows;
};

static void must(int good)
{
    if (!good) {
        (void)fputs("spoolctl: out of memory\n", stderr);
        exit(1);
    }
}

enum tone tone_of_event(enum event_state state)
{
    return state == EVENT_DELIVERED   ? GOOD
           : state == EVENT_RETRYING  ? WARNING
           : state == EVENT_UNCERTAIN ? WARNING
           : state == EVENT_DEAD      ? BAD
                                      : PLAIN;
}

enum tone tone_of_destination(enum destination_state state)
{
    switch (state) {
    case DESTINATION_RUNNING:
        return PLAIN;
    case DESTINATION_HELD:
        return BAD;
    case DESTINATION_PAUSED:
        return WARNING;
    }
    return PLAIN;
}

int table_has_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') &&
           term != NULL && strcmp(term, "dumb") != 0;
}

struct table *table_create(const struct table_column *columns, size_t n)
{
    struct table *t = calloc(1, sizeof *t);
    must(t != NULL);
    t->scols = scols_new_table();
    t->columns = n;
    must(t->scols != NULL);
    scols_table_enable_colors(t->scols, table_has_colour());
    for (size_t i = 0; i < n; i++) {
        int flags = columns[i].kind == RIGHT ? SCOLS_FL_RIGHT
                    : columns[i].kind == CUT ? SCOLS_FL_TRUNC
                                             : 0;
        must(scols_table_new_column(t->scols, columns[i].heading,
                                    columns[i].least, flags) != NULL);
    }
    return t;
}

static void print_rows(struct table *t)
{
    (void)scols_print_table(t->scols);
    /* The next rows stand under these. */
    for (size_t i = 0; i < t->columns; i++) {
        struct libscols_column *c = scols_table_get_column(t->scols, i);
        (void)scols_column_set_whint(c, (double)scols_column_get_width(c));
    }
    (void)scols_table_enable_noheadings(t->scols, 1);
    scols_table_remove_lines(t->scols);
    t->rows = 0;
}

void table_add(struct table *t, const char *const *cells, enum tone tone)
{
    static const char *const colours[] = {
        [PLAIN] = NULL, [GOOD] = "green", [WARNING] = "yellow", [BAD] = "red"};
    struct libscols_line *line = scols_table_new_line(t->scols, NULL);
    must(line != NULL);
    for (size_t i = 0; i < t->columns; i++) {
        must(scols_line_set_data(line, i,
                                 cells[i][0] != '\0' ? cells[i] : "-") == 0);
    }
    if (colours[tone] != NULL) {
        must(scols_line_set_color(line, colours[tone]) == 0);
    }
    if (++t->rows == ROWS) {
        print_rows(t);
    }
}

void table_finish(struct table *t)
{
    if (t->rows > 0) {
        print_rows(t);
    }
    scols_unref_table(t->scols);
    free(t);
}
