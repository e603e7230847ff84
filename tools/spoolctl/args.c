#include "args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hint.h"
#include "shell.h"

#define DEFAULT_PATH "/var/lib/spool/outbox.db"

const struct option_rule option_rules[OPTIONS] = {
    [OPTION_ADOPT] = {"adopt", NULL, "take the file as it is"},
    [OPTION_ALL] = {"all", NULL, "select every event"},
    [OPTION_ANY_JSON] = {"any-json", NULL, "ask only for a JSON object"},
    [OPTION_API_KEY_FILE] = {"api-key-file", "FILE",
                             "its first line is the key; read at each request, "
                             "never stored"},
    [OPTION_BACKOFF_MS] = {"backoff-ms", "BASE[:CAP]",
                           "wait that long after a failure, doubled up to CAP; "
                           "durations like 1s:10m do too"},
    [OPTION_BATCH_AGE_MS] = {"batch-age-ms", "N",
                             "send a batch that is not full after N ms"},
    [OPTION_BATCH_BYTES] = {"batch-bytes", "N", "most bytes of a request"},
    [OPTION_BATCH_EVENTS] = {"batch-events", "N", "most events of a request"},
    [OPTION_BODY] = {"body", "array|object|ndjson",
                     "a request is a JSON array (the default), one event, or "
                     "an event a line"},
    [OPTION_CA_FILE] = {"ca-file", "FILE",
                        "trust these authorities (PEM) instead of the "
                        "system's"},
    [OPTION_CLIENT_CERT] = {"client-cert", "FILE",
                            "certificate (PEM) that we show the endpoint"},
    [OPTION_CLIENT_KEY] = {"client-key", "FILE",
                           "its key (PEM), if it is not in the same file"},
    [OPTION_CHECK_OFF] = {"check-off", NULL,
                          "ask only for a JSON object with name, userId and "
                          "sessionId"},
    [OPTION_CLASS] = {"class", "CLASS=WHAT",
                      "refuse or shed it at a limit, or the percentage of each "
                      "limit that it may fill: view=80%,shed"},
    [OPTION_COLUMN] = {"column", "NAME|N",
                       "the column of the order numbers, by the name in the "
                       "first row or counted from 1"},
    [OPTION_DESTINATION] = {"destination", "D", "at this destination only"},
    [OPTION_DRY_RUN] = {"dry-run", NULL, "only count, change nothing"},
    [OPTION_FILTER] = {"filter", "EXPR",
                       "take only such events: 'name = CHECKOUT and step = "
                       "purchase'"},
    [OPTION_FREE_DISK] = {"free-disk", "SIZE",
                          "leave so much free on the disk: 500M, 2G, none"},
    [OPTION_FROM] = {"from", "start|now",
                     "begin with the oldest event (start) or the next one"},
    [OPTION_HEADER] = {"header", "LINE",
                       "send 'Name: value' along; may be given several times; "
                       "no secrets"},
    [OPTION_HEADER_FILE] = {"header-file", "FILE",
                            "send its lines along as headers; read at each "
                            "request, never stored"},
    [OPTION_HOLD_AFTER] = {"hold-after", "N",
                           "hold after N refused events in a row; 0: never"},
    [OPTION_KEY] = {"key", "K", "with this dedupe key"},
    [OPTION_LANES] = {"lanes", "N",
                      "requests side by side; order is kept per session"},
    [OPTION_LIMIT] = {"limit", "N", "no more than N"},
    [OPTION_LIST] = {"list", NULL, "list the replays under way"},
    [OPTION_LOCAL] = {"local", NULL, "make them here (the default)"},
    [OPTION_MAX_AGE] = {"max-age", "DURATION",
                        "tolerate waiting events that are younger"},
    [OPTION_MAX_BYTES] = {"max-bytes", "SIZE",
                          "hold so many bytes at most: 500M, 2G, none"},
    [OPTION_MAX_EVENTS] = {"max-events", "N",
                           "hold so many events at most; none: any number"},
    [OPTION_NAME] = {"name", "EVENT", "of this event name"},
    [OPTION_ORDER] = {"order", "NUMBER", "with this orderNo"},
    [OPTION_ORIGIN] = {"origin", "ORIGIN", "sent as the Origin header"},
    [OPTION_PAYLOAD] = {"payload", NULL,
                        "print the event's bytes, exactly, to stdout; the rest "
                        "to stderr"},
    [OPTION_PROXY] = {"proxy", "URL",
                      "http://HOST:PORT or socks5h://HOST:PORT; the "
                      "environment is not asked"},
    [OPTION_RATE] = {"rate", "N",
                     "no more than N events a second; 0: no "
                     "limit"},
    [OPTION_PROFILE] = {"profile", "segmentify|json",
                        "what kind of endpoint it is"},
    [OPTION_QUARANTINE] = {"quarantine", NULL,
                           "keep refused events, dead, to be replayed"},
    [OPTION_REASON] = {"reason", "TEXT",
                       "with this in the reason or code of its last answer"},
    [OPTION_RELAXED] = {"relaxed", NULL,
                        "also take what the official clients really send"},
    [OPTION_SHARE] = {"share", "PERCENT",
                      "of what is delivered, while live events wait as well"},
    [OPTION_REVERSE] = {"reverse", NULL,
                        "also list the purchases that the file does not name"},
    [OPTION_SESSION] = {"session", "S", "of this sessionId"},
    [OPTION_SINCE] = {"since", "T",
                      "accepted at T or later: RFC 3339, 2h (ago), 'yesterday "
                      "18:00'"},
    [OPTION_SPREAD] = {"spread", "DURATION",
                       "a start on a backlog waits up to so long (30s), each "
                       "spool its own while; 0: none"},
    [OPTION_STATE] = {"state", "S",
                      "in this state; several with commas: held pending "
                      "sending retrying uncertain delivered dead purged; "
                      "waiting is the first five"},
    [OPTION_SUCCESS] = {"success", "LIST",
                        "these statuses mean success, whatever the body: 2xx, "
                        "or 200,202,409"},
    [OPTION_STOP] = {"stop", "ID", "end a replay that is under way"},
    [OPTION_STRICT] = {"strict", NULL,
                       "take only what the API's guide allows (the default)"},
    [OPTION_KEEP] = {"keep", "DURATION",
                     "keep delivered events that long (24h)"},
    [OPTION_TIMEOUT] = {"timeout", "DURATION", "give up after that long"},
    [OPTION_UNTIL] = {"until", "T", "accepted at T or before"},
    [OPTION_URL] = {"url", "URL",
                    "the endpoint: https://..., or http:// on this machine"},
    [OPTION_USER] = {"user", "U", "of this userId"},
    [OPTION_YES] = {"yes", NULL, "do not ask"},
};

/* What getopt_long says of options that have no letter. */
enum {
    FIRST_OF_TABLE = 256,
    LONG_JSON = FIRST_OF_TABLE + OPTIONS,
    LONG_VERSION,
};

/* Globals, the command's own (none when c is NULL) and an end. */
#define GLOBALS 5
static void fill_longs(const struct command *c,
                       struct option longs[GLOBALS + OPTIONS])
{
    static const struct option globals[GLOBALS - 1] = {
        {"spool", required_argument, NULL, 's'},
        {"json", no_argument, NULL, LONG_JSON},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
    };
    size_t n = GLOBALS - 1;
    memcpy(longs, globals, sizeof globals);
    if (c == NULL) {
        longs[n++] =
            (struct option){"version", no_argument, NULL, LONG_VERSION};
    }
    for (size_t i = 0;
         c != NULL && c->options != NULL && c->options[i] != OPTIONS; i++) {
        const struct option_rule *rule = &option_rules[c->options[i]];
        longs[n++] = (struct option){
            rule->name, rule->value != NULL ? required_argument : no_argument,
            NULL, FIRST_OF_TABLE + (int)c->options[i]};
    }
    longs[n] = (struct option){0};
}

static enum ending unknown_option(const struct ctl *ctl,
                                  const struct option *longs, const char *word)
{
    const char *names[GLOBALS + OPTIONS];
    size_t n = 0;
    for (; longs[n].name != NULL; n++) {
        names[n] = longs[n].name;
    }
    char bare[64];
    (void)snprintf(bare, sizeof bare, "%s", word + strspn(word, "-"));
    bare[strcspn(bare, "=")] = '\0';
    const char *near = hint_nearest(bare, names, n);
    return near == NULL
               ? ctl_misuse(ctl, "there is no option %s", word)
               : ctl_misuse(ctl, "there is no option %s; did you mean --%s?",
                            word, near);
}

/* word is the one before optind: behind a letter that is none it may be the
 * word before that. */
static enum ending wrong_option(const struct ctl *ctl,
                                const struct option *longs, const char *word)
{
    if (optopt >= FIRST_OF_TABLE || optopt == 'q' || optopt == 'h') {
        return ctl_misuse(ctl, "%s takes no value", word);
    }
    return optopt == 0 ? unknown_option(ctl, longs, word)
                       : ctl_misuse(ctl, "there is no option -%c", optopt);
}

static enum ending take_options(struct ctl *ctl, const char *shorts, int argc,
                                char **argv)
{
    struct option longs[GLOBALS + OPTIONS];
    int c;
    fill_longs(ctl->command, longs);
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        switch (c) {
        case 's':
            ctl->spool_path = optarg;
            break;
        case LONG_JSON:
            ctl->json = true;
            break;
        case 'q':
            ctl->quiet = true;
            break;
        case 'h':
            ctl->help = true;
            break;
        case LONG_VERSION:
            ctl->version = true;
            break;
        case ':':
            return ctl_misuse(ctl, "%s needs a value", argv[optind - 1]);
        case '?':
            return wrong_option(ctl, longs, argv[optind - 1]);
        default:
            ctl->given[ctl->given_n++] =
                (struct given){(enum option_id)(c - FIRST_OF_TABLE), optarg};
        }
    }
    return DONE;
}

const struct command *args_command(const char *name)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

/* Is word the first of two-word commands? */
static bool is_family(const char *word)
{
    size_t n = strlen(word);
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strncmp(c->name, word, n) == 0 && c->name[n] == ' ') {
            return true;
        }
    }
    return false;
}

static enum ending unknown_command(const struct ctl *ctl, const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (; commands[n].name != NULL; n++) {
        names[n] = commands[n].name;
    }
    names[n++] = "help";
    const char *near = hint_nearest(name, names, n);
    return near == NULL ? ctl_misuse(ctl, "there is no command '%s'", name)
                        : ctl_misuse(ctl,
                                     "there is no command '%s'; did you mean "
                                     "'spoolctl %s'?",
                                     name, near);
}

/* Joins up to two words into out; how many were taken. */
static int command_words(int argc, char **argv, char *out, size_t size)
{
    bool two = argc > 1 && is_family(argv[0]) && argv[1][0] != '-';
    (void)snprintf(out, size, "%s%s%s", argv[0], two ? " " : "",
                   two ? argv[1] : "");
    return two ? 2 : 1;
}

/* help [COMMAND], and COMMAND --help. */
static enum ending take_help(struct ctl *ctl, int argc, char **argv)
{
    static char topic[64];
    ctl->help = true;
    if (argc == 0) {
        return DONE;
    }
    (void)command_words(argc, argv, topic, sizeof topic);
    if (args_command(topic) == NULL && !is_family(topic)) {
        return unknown_command(ctl, topic);
    }
    ctl->topic = topic;
    return DONE;
}

static enum ending check_count(const struct ctl *ctl)
{
    const struct command *c = ctl->command;
    if (ctl->arguments_n < c->least) {
        return ctl_misuse(ctl,
                          "something is missing; it is used as: spoolctl "
                          "%s %s",
                          c->name, c->arguments);
    }
    if (ctl->arguments_n > c->most) {
        return ctl_misuse(ctl, "'%s' is one argument too many",
                          ctl->arguments[c->most]);
    }
    return DONE;
}

/* Takes the options between the two words of a command, as if they stood before
 * it: argv then begins with the first word again. */
static enum ending take_between(struct ctl *ctl, int *argc, char ***argv)
{
    char *word = (*argv)[0];
    if (args_command(word) != NULL || !is_family(word)) {
        return DONE;
    }
    enum ending ending = take_options(ctl, "+:s:qh", *argc, *argv);
    *argc -= optind - 1;
    *argv += optind - 1;
    (*argv)[0] = word;
    return ending;
}

static enum ending no_command(const struct ctl *ctl, const char *name)
{
    return is_family(name) ? ctl_misuse(ctl,
                                        "'%s' needs a second word: add, ls, "
                                        "set or rm",
                                        name)
                           : unknown_command(ctl, name);
}

static enum ending take_command(struct ctl *ctl, int argc, char **argv)
{
    char name[64];
    if (strcmp(argv[0], "help") == 0) {
        return take_help(ctl, argc - 1, argv + 1);
    }
    enum ending ending = take_between(ctl, &argc, &argv);
    if (ending != DONE || ctl->version) {
        return ending;
    }
    if (ctl->help) {
        return take_help(ctl, argc, argv);
    }
    int taken = command_words(argc, argv, name, sizeof name);
    ctl->command = args_command(name);
    if (ctl->command == NULL) {
        return no_command(ctl, name);
    }
    ending = take_options(ctl, ":s:qh", argc - taken + 1, argv + taken - 1);
    if (ending != DONE || ctl->help) {
        ctl->topic = ctl->command->name;
        return ending;
    }
    ctl->arguments = argv + taken - 1 + optind;
    ctl->arguments_n = (size_t)(argc - taken + 1 - optind);
    return check_count(ctl);
}

/* A command that we advise acts on the spool that -s named. */
static bool name_self(struct ctl *ctl)
{
    static const char name[] = "spoolctl", option[] = " -s ";
    const char *path = ctl->spool_path;
    size_t len = path != NULL ? strlen(path) : 0;
    size_t size = sizeof name + sizeof option + SHELL_WORD_SIZE(len);
    ctl->self = malloc(size);
    if (ctl->self != NULL) {
        int n =
            snprintf(ctl->self, size, "%s%s", name, path != NULL ? option : "");
        if (path != NULL) {
            shell_word(path, ctl->self + n);
        }
    }
    return ctl->self != NULL;
}

static void find_path(struct ctl *ctl)
{
    if (ctl->spool_path == NULL) {
        const char *path = getenv("SPOOL_PATH");
        bool named = path != NULL && path[0] != '\0';
        ctl->spool_path = named ? path : DEFAULT_PATH;
    }
}

static enum ending take_all(struct ctl *ctl, int argc, char **argv)
{
    enum ending ending = take_options(ctl, "+:s:qh", argc, argv);
    if (ending != DONE || ctl->help || ctl->version || optind == argc) {
        return ending;
    }
    int first = optind;
    return take_command(ctl, argc - first, argv + first);
}

enum ending args_parse(struct ctl *ctl, int argc, char **argv)
{
    ctl->given = calloc((size_t)argc + 1, sizeof *ctl->given);
    enum ending ending = ctl->given != NULL ? take_all(ctl, argc, argv) : DONE;
    if (ctl->given == NULL || !name_self(ctl)) {
        ctl_warn("out of memory");
        return FAILED;
    }
    find_path(ctl);
    return ending;
}
