#include "ask.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum ending ask(const struct ctl *ctl, const char *question, int64_t number)
{
    char answer[64] = "", want[64];
    if (ctl_has(ctl, OPTION_YES)) {
        return DONE;
    }
    if (!isatty(STDIN_FILENO)) {
        ctl_warn("%s: nobody to ask, since stdin is no terminal; say --yes to "
                 "go on",
                 ctl->command->name);
        return USAGE;
    }
    (void)fflush(stdout);
    if (number > 0) {
        (void)snprintf(want, sizeof want, "%lld", (long long)number);
        (void)fprintf(stderr, "%s Type %s to go on: ", question, want);
    } else {
        (void)snprintf(want, sizeof want, "y");
        (void)fprintf(stderr, "%s [y/N] ", question);
    }
    if (fgets(answer, sizeof answer, stdin) == NULL) {
        (void)fputc('\n', stderr);
    }
    answer[strcspn(answer, "\r\n")] = '\0';
    if (strcmp(answer, want) == 0 ||
        (number == 0 &&
         (strcmp(answer, "Y") == 0 || strcmp(answer, "yes") == 0))) {
        return DONE;
    }
    ctl_warn("%s: nothing was changed", ctl->command->name);
    return FAILED;
}
