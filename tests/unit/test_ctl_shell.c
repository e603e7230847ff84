#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "shell.h"

static void a_word_is_quoted_only_when_it_needs_to_be(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {{"/var/lib/spool/outbox.db", "/var/lib/spool/outbox.db"},
                 {"b/o.db", "b/o.db"},
                 {"", "''"},
                 {"my shop.db", "'my shop.db'"},
                 {"~/o.db", "'~/o.db'"},
                 {"$HOME;`id`", "'$HOME;`id`'"},
                 {"it's", "'it'\\''s'"},
                 {"'", "''\\'''"},
                 {"caf\xC3\xA9", "'caf\xC3\xA9'"},
                 {"a\x1B[2J\n'b", "$'a\\033\\1332J\\012\\047b'"},
                 {"\xFF", "$'\\377'"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char word[SHELL_WORD_SIZE(64)];
        shell_word(cases[i].text, word);
        assert_string_equal(word, cases[i].want);
        assert_true(strlen(word) < SHELL_WORD_SIZE(strlen(cases[i].text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_quoted_only_when_it_needs_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
