#include "crash/strike.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX   40
#define THREADS_MAX 64

static const char *const groups[STRIKE_GROUPS] = {
    [STRIKE_FILE] = "pwrite64,ftruncate,fallocate,unlink,unlinkat,rename,"
                    "renameat2,mkdir",
    [STRIKE_SYNC] = "fsync,fdatasync",
    [STRIKE_SEND] = "write,writev,sendto,sendmsg,connect",
};

const char *strike_group_name(enum strike_group group)
{
    return groups[group];
}

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static void become(const char *out, const char *const *words)
{
    char *argv[WORDS_MAX + 1] = {NULL};
    int null = open("/dev/null", O_RDWR);
    int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (null < 0 || fd < 0 || dup2(null, 0) < 0 || dup2(fd, 1) < 0 ||
        dup2(null, 2) < 0) {
        _exit(126);
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        argv[i] = strdup(words[i]);
    }
    (void)execvp(argv[0], argv);
    _exit(127);
}

/* before, then after; both end with NULL. Gives a shell's exit status. */
static int run(const char *const *before, const char *const *after,
               const char *out)
{
    const char *all[WORDS_MAX + 1] = {NULL};
    size_t n = 0;
    int status = 0;
    for (; *before != NULL && n < WORDS_MAX; before++) {
        all[n++] = *before;
    }
    for (; *after != NULL && n < WORDS_MAX; after++) {
        all[n++] = *after;
    }
    pid_t pid = fork();
    if (pid == 0) {
        become(out, all);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        give_up("cannot run a program");
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (code == 126 || code == 127) {
        (void)fprintf(stderr, "cannot run %s\n", all[0]);
        exit(1);
    }
    return code;
}

bool strike_run(const struct strike *s, const char *const *words,
                const char *out, int hang_s, int *code)
{
    char hang[16], trace[128], inject[192];
    /* Inside strace, which does not die of an alarm. timeout(1) dies of what
     * kills its child, and makes none of the calls. */
    const char *all[] = {"strace", "-f", "-qq",  "-o",      "/dev/null", "-e",
                         trace,    "-e", inject, "timeout", hang,        NULL};
    (void)snprintf(hang, sizeof hang, "%d", hang_s);
    (void)snprintf(trace, sizeof trace, "trace=%s", groups[s->group]);
    (void)snprintf(inject, sizeof inject, "inject=%s:signal=SIGKILL:when=%ld",
                   groups[s->group], s->n);
    *code = run(all + (s->n > 0 ? 0 : 9), words, out);
    return s->n > 0 && *code == 128 + SIGKILL;
}

static bool is_in(const char *name, size_t len, const char *group)
{
    for (const char *at = group; (at = strstr(at, name)) != NULL; at += len) {
        if ((at == group || at[-1] == ',') && strchr(",", at[len]) != NULL) {
            return true;
        }
    }
    return false;
}

/* A line is "PID NAME(ARGUMENTS..."; one that resumes a call is no other. */
static void count_line(char *line, long *pids,
                       long calls[THREADS_MAX][STRIKE_GROUPS])
{
    char *name = NULL;
    long pid = strtol(line, &name, 10);
    name += strspn(name, " ");
    size_t len = strcspn(name, "(");
    int thread = 0;
    if (name[len] == '\0' || *name == '<') {
        return;
    }
    name[len] = '\0';
    while (thread < THREADS_MAX - 1 && pids[thread] != pid &&
           pids[thread] != 0) {
        thread++;
    }
    pids[thread] = pid;
    for (int g = 0; g < STRIKE_GROUPS; g++) {
        calls[thread][g] += is_in(name, len, groups[g]);
    }
}

void strike_count(const char *const *words, const char *out, const char *trace,
                  long calls[STRIKE_GROUPS])
{
    char all[400], line[4096];
    long pids[THREADS_MAX] = {0};
    long of_thread[THREADS_MAX][STRIKE_GROUPS] = {{0}};
    const char *const strace[] = {"strace", "-f", "-qq", "-o",
                                  trace,    "-e", all,   NULL};
    (void)snprintf(all, sizeof all, "trace=%s,%s,%s", groups[STRIKE_FILE],
                   groups[STRIKE_SYNC], groups[STRIKE_SEND]);
    (void)run(strace, words, out);
    FILE *file = fopen(trace, "re");
    if (file == NULL) {
        give_up(trace);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        count_line(line, pids, of_thread);
    }
    (void)fclose(file);
    for (int g = 0; g < STRIKE_GROUPS; g++) {
        calls[g] = 0;
        for (int t = 0; t < THREADS_MAX; t++) {
            if (of_thread[t][g] > calls[g]) {
                calls[g] = of_thread[t][g];
            }
        }
    }
}
