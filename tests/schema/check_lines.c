/* Reads one text a line and says what the strict check makes of each: class,
 * path and sentence, separated by tabs. */
#include <stdio.h>
#include <string.h>

#include "events/event.h"

int main(void)
{
    static char line[2 * EVENT_BYTES_MAX];
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct event_facts facts;
        struct event_finding finding = {.path = ""};
        enum spool_status status = event_check(line, strcspn(line, "\n"),
                                               EVENT_STRICT, &facts, &finding);
        if (status == SPOOL_OK) {
            finding.path[0] = '\0';
            finding.message[0] = '\0';
        }
        (void)printf("%s\t%s\t%s\n", event_fault_name(finding.fault),
                     finding.path, finding.message);
    }
    return ferror(stdin) || fflush(stdout) != 0 ? 1 : 0;
}
