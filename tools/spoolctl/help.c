#include "help.h"

#include <stdio.h>
#include <string.h>

#include "ctl.h"

static const char globals[] =
    "  -s, --spool SPOOL     the outbox file; else $SPOOL_PATH, else\n"
    "                        /var/lib/spool/outbox.db\n"
    "      --json            JSON: one object, or one a line for lists\n"
    "  -q, --quiet           no words but complaints\n"
    "  -h, --help            this, or of a command\n";

void help_all(void)
{
    (void)puts("spoolctl: look into a spool and act on it\n"
               "\n"
               "usage: spoolctl [-s SPOOL] [--json] [-q] COMMAND ...\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        (void)printf("  %-16s  %s\n", c->name, c->summary);
    }
    (void)printf("  %-16s  %s\n\n%s"
                 "      --version         as the command\n"
                 "\n"
                 "When events are stuck: status, why NAME, ls --state dead, "
                 "show ID, replay.\n"
                 "Exit: 0 done, 1 failed, 2 wrong usage, 3 nothing matched, 4 "
                 "held by another\n"
                 "process, 5 done in part. spoolctl(1) says more.\n",
                 "help [COMMAND]", "says how a command is used", globals);
}

static void print_words(const char *text, size_t indent)
{
    size_t column = indent;
    for (const char *p = text; *p != '\0';) {
        size_t len = strcspn(p, " ");
        if (column + len + 1 > 79 && column > indent) {
            (void)printf("\n%*s", (int)indent, "");
            column = indent;
        }
        (void)printf("%s%.*s", column > indent ? " " : "", (int)len, p);
        column += len + (column > indent ? 1 : 0);
        p += len;
        p += strspn(p, " ");
    }
    (void)putchar('\n');
}

static void print_command(const struct command *c)
{
    (void)printf("usage: spoolctl ");
    char text[400];
    (void)snprintf(text, sizeof text, "%s %s", c->name, c->arguments);
    print_words(text, 16);
    (void)putchar('\n');
    print_words(c->summary, 0);
    if (c->more != NULL) {
        (void)putchar('\n');
        print_words(c->more, 0);
    }
    (void)putchar('\n');
    for (size_t i = 0; c->options != NULL && c->options[i] != OPTIONS; i++) {
        const struct option_rule *rule = &option_rules[c->options[i]];
        char name[64];
        (void)snprintf(name, sizeof name, "--%s%s%s", rule->name,
                       rule->value != NULL ? " " : "",
                       rule->value != NULL ? rule->value : "");
        (void)printf("  %-22s", name);
        if (strlen(name) > 21) {
            (void)printf("\n%24s", "");
        }
        print_words(rule->help, 24);
    }
    (void)fputs(globals, stdout);
}

void help_topic(const char *topic)
{
    size_t n = strlen(topic);
    bool first = true;
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strncmp(c->name, topic, n) == 0 &&
            (c->name[n] == '\0' || c->name[n] == ' ')) {
            if (!first) {
                (void)putchar('\n');
            }
            first = false;
            print_command(c);
        }
    }
}
