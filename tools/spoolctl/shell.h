/* Words that a person pastes into a shell. Pure. */
#ifndef SPOOLCTL_SHELL_H
#define SPOOLCTL_SHELL_H

#include <stddef.h>

/* Most bytes of a word made of len bytes, with its end. */
#define SHELL_WORD_SIZE(len) (4 * (len) + 4)

/* Writes the word that a shell reads as text, in quotes only when it needs
 * them. Nothing in it drives a terminal. out has SHELL_WORD_SIZE of text's
 * length. */
void shell_word(const char *text, char *out);

#endif
