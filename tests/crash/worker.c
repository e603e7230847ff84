#include "crash/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000

extern char **environ;

void worker_start(struct worker *w, char *const argv[])
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe(ends) != 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) != 0 ||
        posix_spawn_file_actions_init(&actions) != 0) {
        perror("cannot make a pipe");
        exit(1);
    }
    /* dup2 onto itself would leave the descriptor as it is, which will do. */
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], WORKER_WORD_FD);
    if (ends[1] != WORKER_WORD_FD) {
        (void)posix_spawn_file_actions_addclose(&actions, ends[1]);
    }
    if (posix_spawn(&w->pid, argv[0], &actions, NULL, argv, environ) != 0) {
        (void)fprintf(stderr, "cannot start %s\n", argv[0]);
        exit(1);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    w->words = ends[0];
}

bool worker_wait(struct worker *w)
{
    char word;
    struct pollfd p = {.fd = w->words, .events = POLLIN};
    return poll(&p, 1, PATIENCE_MS) == 1 && read(w->words, &word, 1) == 1;
}

bool worker_kill(struct worker *w)
{
    int status = 0;
    if (w->pid == 0) {
        return true;
    }
    (void)kill(w->pid, SIGKILL);
    pid_t pid = waitpid(w->pid, &status, 0);
    (void)close(w->words);
    bool killed =
        pid == w->pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed) {
        (void)fprintf(stderr, "worker %ld had ended: wait status %d\n",
                      (long)w->pid, status);
    }
    w->pid = 0;
    return killed;
}

void worker_begin(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
}

void worker_is_at_work(void)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&said)) {
        (void)!write(WORKER_WORD_FD, "w", 1);
    }
}
