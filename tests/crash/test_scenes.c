/* What may happen to a spool's files behind its back, a scene each: five events
 * are put, something is done to the files by a shell, and the spool is opened
 * (or put into, where it was open all the time). It has to say the right words:
 * nothing is accepted into a file that is not the spool any more, nothing is
 * lost without a word, and nobody else's file is believed.
 *
 * Every scene is a process of its own, of a user without rights: to root,
 * permissions mean nothing. */
#define _DEFAULT_SOURCE /* setgroups */
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "outbox/batch.h"
#include "outbox/destination.h"
#include "outbox/inspect.h"
#include "outbox/outbox.h"
#include "support/box.h"
#include "support/long_run.h"
#include "support/result.h"

#define NOBODY 65534

enum when { CLOSED, OPEN };

struct scene {
    const char *what;
    enum when when;
    const char *deed;         /* for a shell in the folder; o: the outbox */
    enum spool_status status; /* of opening, or of the put */
    const char *words;        /* in the error or the notices; "": no notice */
    int lost;
};

static const struct scene scenes[] = {
    {"nothing", CLOSED, "true", SPOOL_OK, "", 0},
    {"nothing, open", OPEN, "true", SPOOL_OK, "", 0},
    {"-shm deleted", CLOSED, "rm o-shm", SPOOL_OK, "", 0},
    {"-shm of zeros", CLOSED, "head -c 32768 /dev/zero >o-shm", SPOOL_OK, "",
     0},
    {"-shm of noise", CLOSED, "head -c 32768 /dev/urandom >o-shm", SPOOL_OK, "",
     0},
    {"-shm empty", CLOSED, ": >o-shm", SPOOL_OK, "", 0},
    {"-wal deleted", CLOSED, "rm o-wal o-shm", SPOOL_OK, "1 to 5", 5},
    {"-wal emptied", CLOSED, ": >o-wal; rm o-shm", SPOOL_OK, "1 to 5", 5},
    {"-wal of zeros", CLOSED, "head -c 65536 /dev/zero >o-wal; rm o-shm",
     SPOOL_OK, "1 to 5", 5},
    {"-wal of noise", CLOSED, "head -c 65536 /dev/urandom >o-wal; rm o-shm",
     SPOOL_OK, "1 to 5", 5},
    /* SQLite would believe them: nothing in a WAL says whose it is. */
    {"-wal of another spool", CLOSED, "cp other/early-wal o-wal; rm o-shm",
     SPOOL_DAMAGED, "another spool's", 0},
    {"-wal of another spool, with the page that names it", CLOSED,
     "cp other/o-wal o-wal; rm o-shm", SPOOL_DAMAGED, "another spool's", 0},
    {"-wal cut off behind its first frame", CLOSED,
     "truncate -s 8300 o-wal; rm o-shm", SPOOL_OK, "2 to 5", 4},
    {"-wal deleted while open", OPEN, "rm o-wal", SPOOL_MOVED,
     "o-wal was moved", 0},
    {"-wal renamed while open", OPEN, "mv o-wal x", SPOOL_MOVED,
     "o-wal was moved", 0},
    {"-wal replaced while open", OPEN, "cp o-wal x; mv x o-wal", SPOOL_MOVED,
     "o-wal was moved", 0},
    {"file deleted while open", OPEN, "rm o", SPOOL_MOVED, "was moved", 0},
    {"file renamed while open", OPEN, "mv o x", SPOOL_MOVED, "was moved", 0},
    {"file replaced while open", OPEN, "cp o x; mv x o", SPOOL_MOVED,
     "was moved", 0},
    {"folder renamed while open", OPEN, "mv \"$PWD\" \"$PWD-x\"", SPOOL_MOVED,
     "was moved", 0},
    {"made read-only while open", OPEN, "chmod 400 o", SPOOL_MOVED,
     "made read-only", 0},
    {"mark deleted", CLOSED, "rm o-mark", SPOOL_OK, "was missing", 0},
    {"mark emptied", CLOSED, ": >o-mark", SPOOL_OK, "was missing", 0},
    {"mark of noise", CLOSED, "head -c 2048 /dev/urandom >o-mark", SPOOL_OK,
     "was damaged", 0},
    {"mark of another spool", CLOSED, "cp other/o-mark o-mark", SPOOL_OK,
     "another spool's", 0},
    {"a backup is restored", CLOSED, "cat backup >o; rm o-wal o-shm", SPOOL_OK,
     "older copy of itself", 5},
    {"copied to another folder", CLOSED,
     "mkdir c; cp o o-wal o-mark c; rm o o-wal o-shm o-mark; mv c/* .",
     SPOOL_OK, "is a copy", 0},
    {"file emptied", CLOSED, ": >o; rm o-wal", SPOOL_DAMAGED,
     "events were accepted", 0},
    {"file deleted", CLOSED, "rm o o-wal o-shm", SPOOL_DAMAGED,
     "events were accepted", 0},
    {"file moved away", CLOSED, "mv o x", SPOOL_DAMAGED, "events were accepted",
     0},
    {"file and mark moved away", CLOSED, "mv o x; mv o-mark y", SPOOL_DAMAGED,
     "nowhere else", 0},
    /* The mark tells that it was a spool: it is set aside. -1: what is lost is
     * not known before recover has looked, and no reader may be added. */
    {"file of zeros", CLOSED, "head -c 65536 /dev/zero >o; rm o-wal o-shm",
     SPOOL_OK, "destinations are gone", -1},
    {"file of noise", CLOSED, "head -c 65536 /dev/urandom >o; rm o-wal o-shm",
     SPOOL_OK, "destinations are gone", -1},
    {"a text in its place", CLOSED,
     "echo this is no database whatever its name may say >o; rm o-wal o-shm",
     SPOOL_OK, "destinations are gone", -1},
    {"another spool in its place", CLOSED, "cat other/o >o; rm o-wal o-shm",
     SPOOL_OK, "another spool's", 0},
    {"a symbolic link", CLOSED, "mv o x; ln -s x o", SPOOL_IO, "symbolic link",
     0},
    {"a hard link", CLOSED, "ln o x", SPOOL_IO, "2 names", 0},
    {"a FIFO", CLOSED, "rm o; mkfifo o", SPOOL_IO, "no regular file", 0},
    {"a folder", CLOSED, "rm o; mkdir o", SPOOL_IO, "no regular file", 0},
    {"a linked -wal", CLOSED, "mv o-wal x; ln -s x o-wal", SPOOL_IO,
     "o-wal is a symbolic link", 0},
    {"a linked -shm", CLOSED, "mv o-shm x; ln -s x o-shm", SPOOL_IO,
     "o-shm is a symbolic link", 0},
    {"a linked mark", CLOSED, "mv o-mark x; ln -s x o-mark", SPOOL_IO,
     "o-mark is a symbolic link", 0},
    {"a FIFO as the mark", CLOSED, "rm o-mark; mkfifo o-mark", SPOOL_IO,
     "o-mark is no regular file", 0},
    {"a linked lock", CLOSED, "ln -s /etc/passwd o-flusher", SPOOL_IO,
     "o-flusher is a symbolic link", 0},
    {"a linked -journal", CLOSED, "ln -s /etc/passwd o-journal", SPOOL_IO,
     "o-journal is a symbolic link", 0},
    {"a folder for everybody", CLOSED, "chmod 777 .", SPOOL_IO,
     "everybody may write", 0},
    {"a sticky folder for everybody", CLOSED, "chmod 1777 .", SPOOL_IO,
     "everybody may write", 0},
    {"a folder for a group", CLOSED, "chmod 770 .", SPOOL_IO, "chmod 2770", 0},
    {"a shared folder", CLOSED, "chmod 2770 .; chmod 660 o*", SPOOL_OK, "", 0},
    {"a file for everybody", CLOSED, "chmod 602 o", SPOOL_IO,
     "everybody may write", 0},
    {"a file for a group", CLOSED, "chmod 660 o", SPOOL_IO, "a group may write",
     0},
    {"a -wal for everybody", CLOSED, "chmod 606 o-wal", SPOOL_IO,
     "everybody may write", 0},
    {"a file that is read-only", CLOSED, "chmod 400 o", SPOOL_IO, "", 0},
    {"a file that cannot be read", CLOSED, "chmod 0 o", SPOOL_IO, "", 0},
    {"a folder that is read-only", CLOSED, "chmod 500 .", SPOOL_IO,
     "cannot write to the folder", 0},
};

static void note(void *arg, const char *sentence)
{
    char *words = arg;
    size_t n = strlen(words);
    (void)snprintf(words + n, 4096 - n, "%s\n", sentence);
}

static enum spool_status open_box(const char *path, bool create,
                                  struct outbox **box, char *words)
{
    struct outbox_options options = {.path = path, .create = create};
    struct spool_error err;
    *box = NULL;
    enum spool_status status = outbox_open(&options, box, &err);
    if (status != SPOOL_OK) {
        note(words, err.message);
    } else {
        outbox_notices(*box, note, words);
    }
    return status;
}

static enum spool_status put(struct outbox *box, int n, char *words)
{
    struct spool_error err;
    enum spool_status status = SPOOL_OK;
    for (int i = 0; i < n && status == SPOOL_OK; i++) {
        struct outbox_event e = {.body = "{\"n\":1}", .len = 7};
        status = outbox_append(box, &e, 1, &err);
    }
    if (status != SPOOL_OK) {
        note(words, err.message);
    }
    return status;
}

/* A spool at o, a backup of it from before its flusher's last start, and
 * another one in a folder beside. */
static struct outbox *prepare(void)
{
    struct outbox *box, *other;
    struct spool_error err;
    int64_t n;
    char words[4096] = "";
    if (open_box("other/o", true, &other, words) != SPOOL_OK ||
        put(other, 2, words) != SPOOL_OK ||
        system("cp other/o-wal other/early-wal") != 0 ||
        batch_recover(other, &n, &err) != SPOOL_OK ||
        open_box("o", true, &box, words) != SPOOL_OK ||
        system("cat o >backup") != 0 ||
        batch_recover(box, &n, &err) != SPOOL_OK ||
        put(box, 5, words) != SPOOL_OK || words[0] != '\0') {
        (void)fprintf(stderr, "no spool to begin with: %s\n", words);
        exit(2);
    }
    outbox_close(other);
    return box;
}

static int64_t count_lost(struct outbox *box)
{
    struct destination d;
    struct sums s = {0};
    struct spool_error err;
    destination_default(&d);
    (void)snprintf(d.name, sizeof d.name, "all");
    (void)snprintf(d.url, sizeof d.url, "http://127.0.0.1:1");
    return destination_add(box, &d, &err) == SPOOL_OK &&
                   destination_find(box, "all", &d, &err) == SPOOL_OK &&
                   inspect_sums(box, &d, &s, &err) == SPOOL_OK
               ? s.lost
               : -1;
}

/* In a process of its own, in the scene's folder. Exits 0 when all is said. */
static void play(const struct scene *s, bool forget)
{
    char words[4096] = "";
    struct outbox *box = prepare();
    if (s->when == CLOSED) {
        outbox_close(box);
    }
    if (system(s->deed) != 0 || (forget && system("rm -f o-mark") != 0)) {
        exit(2);
    }
    enum spool_status status = SPOOL_OK;
    if (s->when == CLOSED) {
        status = open_box("o", false, &box, words);
    }
    if (status == SPOOL_OK) {
        status = put(box, 1, words);
    }
    int64_t lost = status == SPOOL_OK ? count_lost(box) : 0;
    if (status == SPOOL_OK) { /* and it can be opened ever after */
        char again[4096] = "";
        outbox_close(box);
        status = open_box("o", false, &box, again);
    }
    bool said = s->words[0] == '\0' && s->status == SPOOL_OK
                    ? words[0] == '\0'
                    : strstr(words, s->words) != NULL;
    bool right = said && status == s->status && lost == s->lost;
    if (!right && !forget) {
        (void)fprintf(stderr, "%s: %s, %" PRId64 " lost: %s\n", s->what,
                      spool_status_name(status), lost, words);
    }
    exit(right ? 0 : 1);
}

static bool run(const struct scene *s, mode_t mask, bool forget)
{
    char folder[64], inner[96];
    int status = 0;
    fixture_make_folder(folder);
    (void)snprintf(inner, sizeof inner, "%s/s", folder);
    bool ready = mkdir(inner, 0700) == 0;
    if (getuid() == 0) {
        ready = ready && chown(inner, NOBODY, NOBODY) == 0 &&
                chown(folder, NOBODY, NOBODY) == 0;
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (!ready || chdir(inner) != 0 ||
            (getuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 ||
                               setuid(NOBODY) != 0))) {
            exit(2);
        }
        (void)umask(mask);
        play(s, forget);
    }
    (void)waitpid(pid, &status, 0);
    char clean[192];
    (void)snprintf(clean, sizeof clean, "chmod -R u+rwx %s; rm -rf %s", folder,
                   folder);
    (void)!system(clean);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(void)
{
    static const mode_t masks[] = {000, 022, 077};
    struct timespec from, to;
    bool full = long_run_is_full();
    int n = 0, failures = 0, missed = 0, losses = 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        for (size_t m = 0; m < sizeof masks / sizeof *masks; m++) {
            if (!full && i % 3 != m) {
                continue;
            }
            n++;
            failures += run(&scenes[i], masks[m], false) ? 0 : 1;
        }
        if (scenes[i].lost > 0) {
            losses++;
            missed += run(&scenes[i], 077, true) ? 0 : 1;
        }
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    char words[128];
    (void)snprintf(words, sizeof words,
                   "without the mark: %d of %d losses went unnoticed", missed,
                   losses);
    return result_tell(&(struct result){
               .test = "scenes",
               .what = "files deleted, replaced, linked, damaged, opened to "
                       "others, by a user without rights",
               .n = n,
               .failures = failures,
               .folder = "/tmp",
               .control = words,
               .caught = missed == losses && losses > 0,
               .seconds = (double)(to.tv_sec - from.tv_sec)})
               ? 0
               : 1;
}
