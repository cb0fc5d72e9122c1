#ifndef GS_TEXT_H
#define GS_TEXT_H

/* Text from elsewhere: UTF-8 if it is honest, of any length, and with anything in it. */

#include <stddef.h>

/* How much of a mistyped word is shown again; for "%.*s" and the like as TEXT_WORD. */
#define TEXT_WORD_MAX 100
#define TEXT_WORD     "%.100s"

/* The character at *at, which moves on behind it; -1, one byte further on: not UTF-8. At the
 * closing NUL it gives 0 and stays. */
long text_next(const char **at);

/* Put a space in place of each byte of a control character (C0, DEL, C1) and '?' for each that is
 * not UTF-8, in place: such text must not move the cursor or add lines. */
void text_clean(char *text);

/* A copy of at most max bytes (3 or more), cut between characters and with "..." at its end where
 * something is left out. Free it; NULL: no memory. */
char *text_cut(const char *text, size_t max);

#endif
