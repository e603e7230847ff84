/* What a long test found, as one line of JSON: what tests/RESULTS.md is made
 * of. Nothing in that table is typed by hand. */
#ifndef SUPPORT_RESULT_H
#define SUPPORT_RESULT_H

#include <stdbool.h>
#include <stdint.h>

struct result {
    const char *test;   /* short and stable: "kill", "power-cut" */
    const char *what;   /* a sentence: what was done n times */
    int64_t n;          /* cases run */
    int64_t failures;   /* of them */
    uint64_t seed;      /* brings the run back; 0: nothing random in it */
    const char *folder; /* whose file system the test wrote to; NULL: none */
    /* The planted mistake the same run had to find, as a sentence that says
     * how often it did. */
    const char *control;
    bool caught; /* a control that stays green is a failed test */
    double seconds;
    /* Further members, as they stand in the object: "\"lost\":0,\"cuts\":12".
     * NULL: none. */
    const char *figures;
};

/* Prints the line, with the commit, the libraries and the file system added,
 * and appends it to the file that SPOOL_TEST_RESULTS names. Returns whether the
 * test passed: something was done, nothing failed, and there was a control that
 * was caught. */
bool result_tell(const struct result *r);

#endif
