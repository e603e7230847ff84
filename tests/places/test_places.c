/* test_places
 *
 * Places that a spool must not trust, and some that it must: links, pipes,
 * folders and devices where its files are to be, strangers' files, folders that
 * others may write to, file systems and files that are read-only, keys that
 * cannot be read or that others may change, folders above that others may write
 * to, which is warned of. Each case is played by the user nobody, in a process
 * of its own, under the umasks 000, 022 and 077 (one of them each in the
 * everyday run): put an event, then deliver. What is refused or warned of must
 * be so with a sentence that names the file, the cause and the next step; what
 * a link led to must be as it was; and all that the spool made is 0600 in a
 * 0700 folder, whatever the umask.
 *
 * A control plays the links, pipes and strangers with its eyes shut: what it
 * accepts must be noticed. Needs root, for strangers and mounts. */
#define _GNU_SOURCE /* unshare */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "places/spoil.h"
#include "places/visit.h"
#include "support/long_run.h"
#include "support/result.h"

#define SKIPPED 77

/* What is wrong, of any of the files, and what has to be said of it. */
static const struct kind {
    const char *name;
    spoil *spoil;
    const char *cause, *step;
    bool blind_too; /* the control plays it */
} kinds[] = {
    {"a link", spoil_link, "is a symbolic link", "the file itself", true},
    {"a dangling link", spoil_dangling, "is a symbolic link", "the file itself",
     true},
    {"a hard link", spoil_hard_link, "hard links", "remove the others", true},
    {"a pipe", spoil_fifo, "is no regular file", "remove it", false},
    {"a folder", spoil_folder, "is no regular file", "remove it", false},
    {"a device", spoil_device, "is no regular file", "remove it", false},
    {"a stranger's", spoil_owner, "belongs to user 65533", "chown", true},
    {"writable for a group", spoil_group, "a group may write", "chmod 600",
     true},
    {"writable for all", spoil_world, "everybody may write", "chmod 600", true},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static const char *const ends[] = {
    "",         "-wal",          "-shm",     "-mark",  "-flusher",
    "-ballast", "-destinations", "-journal", "-fresh", "-aside"};
#define ENDS (sizeof ends / sizeof *ends)

enum about { OUTBOX, HOME, PARENT, KEY, TRUST, CERTIFICATE, OWN_KEY };

/* Cases of their own. SPOOL_OK: it must be accepted, and nothing be said of who
 * may swap it, or what the cause is, if there is one. */
static const struct place {
    const char *name;
    enum about about;
    spoil *spoil;
    enum spool_status want;
    const char *cause, *step;
} places[] = {
    {"nothing wrong", OUTBOX, spoil_nothing, SPOOL_OK, "", ""},
    {"the outbox is read-only", OUTBOX, spoil_mode_read, SPOOL_IO, "read-only",
     "make it writable"},
    {"the outbox may not be read", OUTBOX, spoil_mode_none, SPOOL_IO,
     "may not read", "chmod u+rw"},
    {"the outbox is a text", OUTBOX, spoil_text, SPOOL_OK, "", ""}, /* aside */
    {"the folder is reached through a link", HOME, spoil_by_way_of, SPOOL_OK,
     "", ""},
    {"the folder is shared by a group", HOME, spoil_shared, SPOOL_OK, "", ""},
    {"the folder is a stranger's", HOME, spoil_owner, SPOOL_IO,
     "belongs to user 65533", "a folder of your own"},
    {"the folder is writable for a group", HOME, spoil_group, SPOOL_IO,
     "a group may write", "chmod g-w"},
    {"the folder is writable for all", HOME, spoil_world, SPOOL_IO,
     "everybody may write", "chmod o-w"},
    {"the folder is sticky", HOME, spoil_sticky, SPOOL_IO,
     "everybody may write", "chmod o-w"},
    {"the folder is read-only", HOME, spoil_mode_read, SPOOL_IO,
     "cannot write to the folder", "Permission denied"},
    {"the folder may not be entered", HOME, spoil_mode_none, SPOOL_IO,
     "Permission denied", ""},
    {"the file system is read-only", HOME, spoil_read_only, SPOOL_IO,
     "read-only file system", "mount it writable"},
    {"the folder is a file", HOME, spoil_text, SPOOL_IO, "Not a directory", ""},
    {"the folder is a pipe", HOME, spoil_fifo, SPOOL_IO, "Not a directory", ""},
    {"the folder leads nowhere", HOME, spoil_dangling, SPOOL_IO, "No such file",
     ""},
    {"all may write the folder above", PARENT, spoil_world, SPOOL_OK,
     "everybody may rename", "chmod o-w or +t"},
    {"a group may write the folder above", PARENT, spoil_strangers_group,
     SPOOL_OK, "group 65533 may rename", "chmod g-w or +t"},
    {"one's own group may write the folder above", PARENT, spoil_group,
     SPOOL_OK, "", ""},
    {"the folder above is sticky", PARENT, spoil_sticky, SPOOL_OK, "", ""},
    {"the folder above is a stranger's", PARENT, spoil_owner, SPOOL_OK,
     "belongs to user 65533", "chown it"},
    {"the key is by a link", KEY, spoil_key_by_link, SPOOL_OK, "", ""},
    {"the key is gone", KEY, spoil_gone, SPOOL_HELD, "cannot read the API key",
     "No such file"},
    {"the key leads nowhere", KEY, spoil_dangling, SPOOL_HELD,
     "cannot read the API key", "No such file"},
    {"the key may not be read", KEY, spoil_mode_none, SPOOL_HELD,
     "cannot read the API key", "Permission denied"},
    {"the key is a folder", KEY, spoil_folder, SPOOL_HELD, "is no regular file",
     "name"},
    {"the key is a pipe", KEY, spoil_fifo, SPOOL_HELD, "is no regular file",
     "name"},
    {"the key is a device", KEY, spoil_device, SPOOL_HELD, "is no regular file",
     "name"},
    {"the key is empty", KEY, spoil_empty, SPOOL_HELD, "holds no API key",
     "first line"},
    {"the key is a text", KEY, spoil_text, SPOOL_HELD, "has a blank",
     "character"},
    {"a group may write the key", KEY, spoil_group, SPOOL_OK, "", ""},
    {"all may write the key", KEY, spoil_world, SPOOL_HELD,
     "everybody may write", "chmod o-w"},
    /* libcurl would wait for a pipe. */
    {"the authorities are by a link", TRUST, spoil_key_by_link, SPOOL_OK, "",
     ""},
    {"the authorities are a pipe", TRUST, spoil_fifo, SPOOL_HELD,
     "is no regular file", "name"},
    {"the authorities are a folder", TRUST, spoil_folder, SPOOL_HELD,
     "is no regular file", "name"},
    {"all may write the authorities", TRUST, spoil_world, SPOOL_HELD,
     "everybody may write", "chmod o-w"},
    {"the certificate is a pipe", CERTIFICATE, spoil_fifo, SPOOL_HELD,
     "is no regular file", "name"},
    {"the certificate is gone", CERTIFICATE, spoil_gone, SPOOL_HELD,
     "cannot read the client certificate", "No such file"},
    {"the certificate's key is a pipe", OWN_KEY, spoil_fifo, SPOOL_HELD,
     "is no regular file", "name"},
    {"the certificate's key is a device", OWN_KEY, spoil_device, SPOOL_HELD,
     "is no regular file", "name"},
    {"the certificate's key may not be read", OWN_KEY, spoil_mode_none,
     SPOOL_HELD, "cannot read the client certificate's key",
     "Permission denied"},
};
#define PLACES (sizeof places / sizeof *places)

static void die(const char *what)
{
    perror(what);
    exit(2);
}

/* ---- a scene ---- */

static char base[32];

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 ||
        chown(path, NOBODY, NOBODY) != 0 || chmod(path, 0600) != 0) {
        die(path);
    }
}

static const char victims_text[] = "nobody's diary\n";

static void make_scene(struct scene *s, int number)
{
    (void)snprintf(s->folder, sizeof s->folder, "%s/%d", base, number);
    (void)snprintf(s->home, sizeof s->home, "%s/home", s->folder);
    (void)snprintf(s->outbox, sizeof s->outbox, "%s/outbox.db", s->home);
    (void)snprintf(s->key, sizeof s->key, "%s/key", s->folder);
    (void)snprintf(s->trust, sizeof s->trust, "%s/trust.pem", s->folder);
    (void)snprintf(s->certificate, sizeof s->certificate, "%s/own.pem",
                   s->folder);
    (void)snprintf(s->own_key, sizeof s->own_key, "%s/own.key", s->folder);
    (void)snprintf(s->victim, sizeof s->victim, "%s/victim", s->folder);
    if (mkdir(s->folder, 0755) != 0 || chown(s->folder, NOBODY, NOBODY) != 0) {
        die(s->folder);
    }
    write_text(s->key, "a-key\n");
    write_text(s->trust, "");
    write_text(s->certificate, "");
    write_text(s->own_key, "");
    write_text(s->victim, victims_text);
}

static bool victim_is_well(const struct scene *s)
{
    char text[64] = "";
    FILE *file = fopen(s->victim, "re");
    bool read_it = file != NULL && fgets(text, sizeof text, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    return read_it && strcmp(text, victims_text) == 0;
}

/* Whether all that was made is its owner's alone. */
static bool is_private(const struct scene *s)
{
    char name[400];
    struct stat st;
    struct dirent *entry;
    bool all = stat(s->home, &st) == 0 && (st.st_mode & 07777) == 0700;
    DIR *folder = opendir(s->home);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        (void)snprintf(name, sizeof name, "%s/%s", s->home, entry->d_name);
        if (entry->d_name[0] != '.' &&
            (stat(name, &st) != 0 || (st.st_mode & 07777) != 0600)) {
            all = false;
            (void)fprintf(stderr, "%s: mode %o\n", name,
                          (unsigned)st.st_mode & 07777);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return all && folder != NULL;
}

/* ---- a case ---- */

static long cases, wrong;

static bool says(const struct outcome *o, const struct place *p,
                 const char *name)
{
    if (p->cause[0] == '\0') {
        return strstr(o->message, "in the place of") == NULL;
    }
    return strstr(o->message, p->cause) != NULL &&
           strstr(o->message, p->step) != NULL &&
           strstr(o->message, name) != NULL;
}

static struct outcome play(const struct place *p, const char *end, mode_t mask,
                           bool blind)
{
    static int number;
    struct scene s;
    make_scene(&s, number++);
    const char *const what[] = {
        [OUTBOX] = s.outbox,  [HOME] = s.home,   [PARENT] = s.folder,
        [KEY] = s.key,        [TRUST] = s.trust, [CERTIFICATE] = s.certificate,
        [OWN_KEY] = s.own_key};
    (void)snprintf(s.at, sizeof s.at, "%s%s", what[p->about], end);
    struct outcome first = visit_as_nobody(&s, mask, false, false);
    bool good = first.ended && first.status == SPOOL_OK && is_private(&s);
    if (!good) {
        (void)fprintf(stderr, "before it: %s\n", first.message);
    }
    p->spoil(&s);
    struct outcome o = visit_as_nobody(&s, mask, p->about >= KEY, blind);
    o.good = good && o.ended && o.status == p->want && says(&o, p, s.at) &&
             victim_is_well(&s);
    spoil_undo(&s);
    if (!o.good && !blind) {
        (void)fprintf(stderr, "%s (%s), umask %03o: %s: %s%s\n", p->name, s.at,
                      (unsigned)mask, spool_status_name(o.status), o.message,
                      o.ended ? "" : " (it hangs or died)");
    }
    return o;
}

static const mode_t masks[] = {0, 022, 077};

/* Under one umask in turn, or under all. */
static void play_case(const struct place *p, const char *end)
{
    for (size_t i = 0; i < 3; i++) {
        if (long_run_is_full() || (size_t)cases % 3 == i) {
            wrong += !play(p, end, masks[i], false).good;
            cases++;
            if (!long_run_is_full()) {
                return;
            }
        }
    }
}

static struct place place_of(const struct kind *k)
{
    return (struct place){k->name,  OUTBOX,   k->spoil,
                          SPOOL_IO, k->cause, k->step};
}

static long play_blind(long *played)
{
    long accepted = 0;
    for (size_t i = 0; i < KINDS; i++) {
        struct place p = place_of(&kinds[i]);
        for (size_t k = 0; kinds[i].blind_too && k < ENDS; k += 3) {
            accepted += play(&p, ends[k], 022, true).status == SPOOL_OK;
            ++*played;
        }
    }
    return accepted;
}

/* Nothing here has to last: in memory, if there is a place for that. */
static void make_folder(void)
{
    (void)strcpy(base, "/dev/shm/spool-test-XXXXXX");
    if (mkdtemp(base) == NULL) {
        (void)strcpy(base, "/tmp/spool-test-XXXXXX");
        if (mkdtemp(base) == NULL) {
            die(base);
        }
    }
    if (chmod(base, 0755) != 0) {
        die(base);
    }
}

static void remove_folder(void)
{
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", base);
    (void)!system(command);
}

int main(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        (void)printf("skipped: strangers and a mount namespace are refused "
                     "(%s); run as root\n",
                     strerror(errno));
        return SKIPPED;
    }
    struct timespec from;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    make_folder();
    for (size_t i = 0; i < PLACES; i++) {
        play_case(&places[i], "");
    }
    for (size_t i = 0; i < KINDS; i++) {
        struct place p = place_of(&kinds[i]);
        for (size_t k = 0; k < ENDS; k++) {
            play_case(&p, ends[k]);
        }
    }
    long blind = 0, accepted = play_blind(&blind);
    char words[96];
    (void)snprintf(words, sizeof words,
                   "with its eyes shut %ld of %ld are accepted", accepted,
                   blind);
    remove_folder();
    return result_tell(&(struct result){
               .test = "places",
               .what = "a place or a file that a spool may not trust",
               .n = cases,
               .failures = wrong,
               .folder = "/dev/shm",
               .control = words,
               .caught = accepted > blind / 2,
               .seconds = long_run_seconds(&from)})
               ? 0
               : 1;
}
