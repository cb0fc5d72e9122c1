#ifndef GS_TEXT_H
#define GS_TEXT_H

/* Text from elsewhere: supposedly UTF-8, of any length and with any bytes. */

#include <stddef.h>

/* How much of a mistyped word is repeated in a message; TEXT_WORD is the format for it. */
#define TEXT_WORD_MAX 100
#define TEXT_WORD     "%.100s"

/* Decode the character at *at and move *at past it; -1: not UTF-8, moved by one byte. At the
 * closing NUL: 0, not moved. */
long text_next(const char **at);

/* Put a space in place of each byte of a control character (C0, DEL, C1) and '?' for each that is
 * not UTF-8, in place: such text must not move the cursor or add lines. */
void text_clean(char *text);

/* A copy of at most max bytes (3 or more), cut between characters and with "..." at its end where
 * something is left out. Free it; NULL: no memory. */
char *text_cut(const char *text, size_t max);

#endif
