#include "crash/board.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct board *board_map(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)sizeof(struct board)) != 0) {
        perror(path);
        exit(1);
    }
    void *at = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE,
                    MAP_SHARED, fd, 0);
    (void)close(fd);
    if (at == MAP_FAILED) {
        perror(path);
        exit(1);
    }
    return at;
}

void board_unmap(struct board *board)
{
    (void)munmap(board, sizeof *board);
}
