/* spoolctl: the operator's tool. */
#define _DEFAULT_SOURCE /* prctl's header */
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "cmd.h"
#include "help.h"

#define FILTERS                                                                \
    OPTION_STATE, OPTION_DESTINATION, OPTION_NAME, OPTION_USER,                \
        OPTION_SESSION, OPTION_KEY, OPTION_ORDER, OPTION_REASON, OPTION_SINCE, \
        OPTION_UNTIL, OPTION_LIMIT

#define DESTINATION_OPTIONS                                                    \
    OPTION_URL, OPTION_PROFILE, OPTION_ORIGIN, OPTION_API_KEY_FILE,            \
        OPTION_BATCH_EVENTS, OPTION_BATCH_BYTES, OPTION_BATCH_AGE_MS,          \
        OPTION_BACKOFF_MS, OPTION_HOLD_AFTER, OPTION_RATE, OPTION_SPREAD,      \
        OPTION_BODY, OPTION_SUCCESS, OPTION_HEADER, OPTION_HEADER_FILE,        \
        OPTION_PROXY, OPTION_CA_FILE, OPTION_CLIENT_CERT, OPTION_CLIENT_KEY

static const enum option_id init_options[] = {OPTION_ADOPT, OPTIONS};
static const enum option_id add_options[] = {
    DESTINATION_OPTIONS, OPTION_FILTER, OPTION_LANES, OPTION_FROM, OPTIONS};
static const enum option_id set_options[] = {DESTINATION_OPTIONS, OPTION_FILTER,
                                             OPTION_LANES, OPTIONS};
static const enum option_id rm_options[] = {OPTION_YES, OPTIONS};
static const enum option_id check_options[] = {
    OPTION_STRICT, OPTION_RELAXED, OPTION_CHECK_OFF, OPTION_ANY_JSON, OPTIONS};
static const enum option_id put_options[] = {OPTION_STRICT,     OPTION_RELAXED,
                                             OPTION_CHECK_OFF,  OPTION_ANY_JSON,
                                             OPTION_QUARANTINE, OPTIONS};
static const enum option_id flush_options[] = {OPTION_TIMEOUT, OPTION_KEEP,
                                               OPTIONS};
static const enum option_id keys_options[] = {OPTION_URL, OPTION_DESTINATION,
                                              OPTION_LOCAL, OPTIONS};
static const enum option_id ls_options[] = {FILTERS, OPTIONS};
static const enum option_id show_options[] = {OPTION_DESTINATION,
                                              OPTION_PAYLOAD, OPTIONS};
static const enum option_id why_options[] = {OPTION_DESTINATION, OPTIONS};
static const enum option_id order_options[] = {OPTION_DESTINATION, OPTIONS};
static const enum option_id reconcile_options[] = {
    OPTION_DESTINATION, OPTION_COLUMN, OPTION_REVERSE, OPTIONS};
static const enum option_id operate_options[] = {
    FILTERS, OPTION_ALL, OPTION_DRY_RUN, OPTION_YES, OPTIONS};
static const enum option_id replay_options[] = {
    FILTERS,      OPTION_ALL,  OPTION_DRY_RUN, OPTION_YES, OPTION_RATE,
    OPTION_SHARE, OPTION_LIST, OPTION_STOP,    OPTIONS};
static const enum option_id recover_options[] = {OPTION_DRY_RUN, OPTION_YES,
                                                 OPTIONS};
static const enum option_id gate_options[] = {OPTION_MAX_AGE, OPTIONS};
static const enum option_id audit_options[] = {OPTION_SINCE, OPTION_UNTIL,
                                               OPTION_LIMIT, OPTIONS};

static const enum option_id limits_options[] = {
    OPTION_MAX_EVENTS, OPTION_MAX_BYTES, OPTION_FREE_DISK, OPTION_CLASS,
    OPTIONS};

#define ANY ((size_t)-1)

const struct command commands[] = {
    {"status", "", "how old the oldest event is, counts, what is stuck and why",
     "Waiting events are held, pending, sending, retrying or uncertain.", NULL,
     0, 0, cmd_status},
    {"why", "ID|NAME", "one sentence: what an event or a destination waits for",
     NULL, why_options, 1, 1, cmd_why},
    {"ls", "[FILTER...]", "lists events, destination by destination, by id",
     NULL, ls_options, 0, 0, cmd_ls},
    {"show", "ID", "an event and every attempt to deliver it", NULL,
     show_options, 1, 1, cmd_show},
    {"order", "NUMBER...", "was order 4711 delivered?",
     "Exit 0 when all are delivered, 3 when one was never put, else 5.",
     order_options, 1, ANY, cmd_order},
    {"reconcile", "FILE|-", "which orders of a file are not delivered",
     "FILE has an order number a line, or is CSV. Exit 0 when all are "
     "delivered, 3 when the file has none, else 5.",
     reconcile_options, 1, 1, cmd_reconcile},
    {"replay", "ID...|-|FILTER...|--all",
     "delivers again what is dead or delivered",
     "Filters without --state, and --all, select dead events; delivered ones "
     "go out again by id or with --state delivered. With --rate the flusher "
     "lets so many a second wait again, beside live events. - reads ids from "
     "stdin, one a line or as JSON lines with \"id\".",
     replay_options, 0, ANY, cmd_replay},
    {"purge", "ID...|-|FILTER...|--all", "takes events out for good",
     "Filters without --state, and --all, select what waits or is dead. - "
     "reads ids from stdin, one a line or as JSON lines with \"id\".",
     operate_options, 0, ANY, cmd_purge},
    {"pause", "NAME", "stops a destination; its events wait", NULL, NULL, 1, 1,
     cmd_pause},
    {"resume", "NAME", "restarts a paused or held destination", NULL, NULL, 1,
     1, cmd_resume},
    {"flush", "[NAME]", "delivers in the foreground until nothing is left",
     "Without --timeout it ends once nothing has been delivered for 30 s.",
     flush_options, 0, 1, cmd_flush},
    {"put", "[FILE...]", "puts events; prints each id after its commit",
     "A file, or stdin (-), holds a JSON array, objects one after another, or "
     "one a line. A refused event is named and does not stop the others.",
     put_options, 0, ANY, cmd_put},
    {"check", "[FILE...]", "only checks events; needs no spool", NULL,
     check_options, 0, ANY, cmd_check},
    {"keys", "[COUNT]", "new ids for users and sessions",
     "COUNT is 1 to 1000, 1 by itself. With --url or --destination the "
     "endpoint "
     "is asked; if it gives none they are made here, and stderr says so.",
     keys_options, 0, 1, cmd_keys},
    {"gate", "", "may I switch off? 0 if all is delivered, else 5", NULL,
     gate_options, 0, 0, cmd_gate},
    {"verify", "", "checks the file and its sums", NULL, NULL, 0, 0,
     cmd_verify},
    {"audit", "", "who did what to the spool, and what was lost",
     "--limit shows the newest. Note the last hash elsewhere to be able to "
     "show "
     "that no line was taken out since.",
     audit_options, 0, 0, cmd_audit},
    {"recover", "[FILE]", "puts back what a damaged file still holds",
     "FILE is one that was set aside, SPOOL.damaged-TIME; without it, each of "
     "them, the newest first. Says first what can be read and what is lost; "
     "the file is kept.",
     recover_options, 0, 1, cmd_recover},
    {"init", "[--adopt]", "creates a spool; an existing one is left as it is",
     "With --adopt, takes an existing file as it is: lost events are known of, "
     "and a copy becomes a spool of its own, with a new id. Stop what has it "
     "open before.",
     init_options, 0, 0, cmd_init},
    {"limits", "", "how much the spool may hold, and how full it is", NULL,
     NULL, 0, 0, cmd_limits},
    {"limits set", "OPTION...", "changes how much the spool may hold",
     "At a limit new events are refused. A class with a share is refused "
     "earlier, so that the dearer ones still get in; one that is set to shed "
     "has its oldest events purged for new ones. CLASS is view, interaction, "
     "basket, checkout or purchase, each worth more than the one before.",
     limits_options, 0, 0, cmd_limits_set},
    {"destination add", "NAME --url URL [OPTION...]",
     "adds a reader of the log", NULL, add_options, 1, 1, cmd_destination_add},
    {"destination ls", "", "lists the destinations and how they are set", NULL,
     NULL, 0, 0, cmd_destination_ls},
    {"destination set", "NAME OPTION...",
     "changes a destination; a held one tries again at once",
     "The filter stays as it was added: the log is cut by it. Lanes and body "
     "change only while nothing is in flight or waits to be sent again: let "
     "that arrive or purge it, then pause the destination.",
     set_options, 1, 1, cmd_destination_set},
    {"destination rm", "NAME", "takes a destination out; the events stay", NULL,
     rm_options, 1, 1, cmd_destination_rm},
    {"version", "", "of spoolctl and of the libraries it runs on", NULL, NULL,
     0, 0, cmd_version},
    {0},
};

/* A key may be in memory while flush runs: no core, no debugger, no log of TLS
 * secrets. */
static void protect(void)
{
    static const struct rlimit none = {0, 0};
    (void)umask(077);
    (void)setlocale(LC_ALL, "");
    (void)setlocale(LC_NUMERIC, "C"); /* a dot in JSON */
    (void)unsetenv("SSLKEYLOGFILE");
    (void)signal(SIGPIPE, SIG_IGN);
    /* A limit on the size of files is a full disk. */
    (void)signal(SIGXFSZ, SIG_IGN);
#ifndef __SANITIZE_ADDRESS__ /* its search for leaks attaches to us */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    (void)setrlimit(RLIMIT_CORE, &none);
}

/* What is closed must not become a file of the spool, nor an empty input: the
 * wrong way round, reading and writing it fail. */
static void keep_streams_apart(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

/* Whoever read our output has seen enough, as head does. */
static bool reader_left(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

static enum ending flush_output(enum ending ending)
{
    bool good = fflush(stdout) == 0 && ferror(stdout) == 0;
    if (good || reader_left()) {
        return ending;
    }
    ctl_warn("the output could not be written: is the disk full?");
    return FAILED;
}

static enum ending run(struct ctl *ctl)
{
    if (ctl->help && ctl->topic != NULL) {
        help_topic(ctl->topic);
        return DONE;
    }
    if (ctl->version) {
        return cmd_version(ctl);
    }
    if (ctl->command == NULL) {
        help_all();
        return DONE;
    }
    return ctl->command->run(ctl);
}

int main(int argc, char **argv)
{
    struct ctl ctl = {0};
    keep_streams_apart();
    protect();
    enum ending ending = args_parse(&ctl, argc, argv);
    if (ending == DONE) {
        ending = run(&ctl);
    }
    ctl_finish(&ctl);
    return (int)flush_output(ending);
}
