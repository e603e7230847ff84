/* What may be wrong with a place where a spool is to lie, and making it so. As
 * root; the spool is the user nobody's. Ends the program when it cannot. */
#ifndef PLACES_SPOIL_H
#define PLACES_SPOIL_H

#include <sys/types.h>

#define NOBODY   65534
#define STRANGER 65533

struct scene {
    char folder[64]; /* nobody's; everything lies in it */
    char home[80];   /* the spool's folder, in it */
    char outbox[96]; /* the spool's path, as it is opened */
    char key[80];    /* the API key's file */
    /* Whom to trust, and the client's certificate: files for libcurl */
    char trust[80], certificate[80], own_key[80];
    char victim[80]; /* nobody's too, and nothing to do with the spool */
    char at[128];    /* the file or folder that the case is about */
};

typedef void spoil(struct scene *s);

/* s->at becomes: */
spoil spoil_nothing;
spoil spoil_link;     /* a symbolic link to the victim */
spoil spoil_dangling; /* likewise, to nothing */
spoil spoil_hard_link;
spoil spoil_fifo;
spoil spoil_folder;
spoil spoil_device;          /* /dev/null's numbers */
spoil spoil_owner;           /* the stranger's */
spoil spoil_group;           /* writable for its group, */
spoil spoil_world;           /* for everybody, */
spoil spoil_sticky;          /* likewise, but only owners may remove; */
spoil spoil_strangers_group; /* writable for a group that nobody is not in */
spoil spoil_shared; /* with what lies in it, the group's that is nobody's */
spoil spoil_mode_none;
spoil spoil_mode_read;
spoil spoil_gone;
spoil spoil_text; /* a file with the victim's text */
spoil spoil_empty;
spoil spoil_read_only;   /* the file system below it */
spoil spoil_by_way_of;   /* the folder is reached through a link: allowed */
spoil spoil_key_by_link; /* to a good file: allowed */

/* Undoes mounts. */
void spoil_undo(struct scene *s);

#endif
