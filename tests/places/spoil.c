#define _GNU_SOURCE /* mknod, mount */
#include "places/spoil.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void need(int status, const char *what)
{
    if (status != 0) {
        perror(what);
        exit(2);
    }
}

static void make_file(const char *path, const char *text, uid_t owner)
{
    FILE *file = fopen(path, "we");
    need(file == NULL, path);
    (void)fputs(text, file);
    (void)fclose(file);
    need(chown(path, owner, NOBODY), path);
    need(chmod(path, 0600), path);
}

/* What is to have an owner or a mode has to be there. */
static void have(struct scene *s)
{
    struct stat st;
    if (stat(s->at, &st) != 0) {
        make_file(s->at, "", NOBODY);
    }
}

static void change_mode(struct scene *s, mode_t add)
{
    struct stat st;
    have(s);
    need(stat(s->at, &st), s->at);
    need(chmod(s->at, (st.st_mode & 07777) | add), s->at);
}

/* The name is free; what was there waits under another one. */
static void free_name(struct scene *s)
{
    char aside[200];
    (void)snprintf(aside, sizeof aside, "%s.aside", s->at);
    (void)rename(s->at, aside);
}

void spoil_nothing(struct scene *s)
{
    (void)s;
}

void spoil_link(struct scene *s)
{
    free_name(s);
    need(symlink(s->victim, s->at), s->at);
}

void spoil_dangling(struct scene *s)
{
    char nowhere[96];
    (void)snprintf(nowhere, sizeof nowhere, "%s/nowhere", s->folder);
    free_name(s);
    need(symlink(nowhere, s->at), s->at);
}

void spoil_hard_link(struct scene *s)
{
    free_name(s);
    need(link(s->victim, s->at), s->at);
}

void spoil_fifo(struct scene *s)
{
    free_name(s);
    need(mkfifo(s->at, 0600), s->at);
    need(chown(s->at, NOBODY, NOBODY), s->at);
}

void spoil_folder(struct scene *s)
{
    free_name(s);
    need(mkdir(s->at, 0700), s->at);
    need(chown(s->at, NOBODY, NOBODY), s->at);
}

void spoil_device(struct scene *s)
{
    free_name(s);
    need(mknod(s->at, S_IFCHR | 0600, makedev(1, 3)), s->at);
    need(chown(s->at, NOBODY, NOBODY), s->at);
}

void spoil_owner(struct scene *s)
{
    have(s);
    need(chown(s->at, STRANGER, STRANGER), s->at);
}

void spoil_group(struct scene *s)
{
    change_mode(s, S_IWGRP);
}

void spoil_world(struct scene *s)
{
    change_mode(s, S_IWOTH);
}

void spoil_sticky(struct scene *s)
{
    change_mode(s, S_ISVTX | S_IWGRP | S_IWOTH | S_IXOTH);
}

void spoil_strangers_group(struct scene *s)
{
    need(chown(s->at, (uid_t)-1, STRANGER), s->at);
    change_mode(s, S_IWGRP);
}

/* As a Debian package sets it up, with a stranger for the owner. */
void spoil_shared(struct scene *s)
{
    char name[400];
    struct dirent *entry;
    need(chown(s->at, STRANGER, NOBODY), s->at);
    need(chmod(s->at, 02770), s->at);
    DIR *folder = opendir(s->at);
    need(folder == NULL, s->at);
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(name, sizeof name, "%s/%s", s->at, entry->d_name);
            need(chown(name, STRANGER, NOBODY), name);
            need(chmod(name, 0660), name);
        }
    }
    (void)closedir(folder);
}

void spoil_mode_none(struct scene *s)
{
    have(s);
    need(chmod(s->at, 0), s->at);
}

void spoil_mode_read(struct scene *s)
{
    struct stat st;
    have(s);
    need(stat(s->at, &st), s->at);
    need(chmod(s->at, S_ISDIR(st.st_mode) ? 0500 : 0400), s->at);
}

void spoil_gone(struct scene *s)
{
    free_name(s);
}

void spoil_text(struct scene *s)
{
    free_name(s);
    make_file(s->at, "the victim's text\n", NOBODY);
}

void spoil_empty(struct scene *s)
{
    free_name(s);
    make_file(s->at, "", NOBODY);
}

void spoil_read_only(struct scene *s)
{
    need(mount(s->at, s->at, NULL, MS_BIND, NULL), s->at);
    need(mount(NULL, s->at, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL),
         s->at);
}

void spoil_by_way_of(struct scene *s)
{
    char way[80];
    (void)snprintf(way, sizeof way, "%s/way", s->folder);
    need(symlink(s->home, way), way);
    (void)snprintf(s->outbox, sizeof s->outbox, "%s/outbox.db", way);
}

void spoil_key_by_link(struct scene *s)
{
    char aside[200];
    (void)snprintf(aside, sizeof aside, "%s.aside", s->at);
    free_name(s);
    need(symlink(aside, s->at), s->at);
}

void spoil_undo(struct scene *s)
{
    (void)umount2(s->home, MNT_DETACH);
}
