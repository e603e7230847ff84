/* Somebody else's words, made fit for a terminal, a log and JSON. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

/* Copies whole UTF-8 characters, as many as fit, with a question mark for each
 * byte that is none and each character that could drive a terminal or turn a
 * line round. out is NUL-terminated. */
void text_clean(char *out, size_t size, const char *words, size_t len);

#endif
