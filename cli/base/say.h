#ifndef GS_SAY_H
#define GS_SAY_H

/* What the user reads on stderr: one line a message, free of control characters, whoever wrote the
 * words. Colour and the moving line only on a terminal, and no colour with NO_COLOR. */

#include <stdbool.h>

void say_setup(bool verbose);

#define SAY_FORMAT __attribute__((format(printf, 1, 2)))
SAY_FORMAT void say_error(const char *format, ...);
SAY_FORMAT void say_warning(const char *format, ...);
SAY_FORMAT void say_note(const char *format, ...);
SAY_FORMAT void say_verbose(const char *format, ...); /* with -v only; never a secret or token */

/* While something is waited for: a moving line with what it is; NULL: no more. Any message takes it
 * away. say_tick() moves it; call it as often as you like. */
void say_waiting(const char *what);
void say_tick(void);
bool say_is_waiting(void);

/* The tick of who waits for another process's lock; false: a signal says to end. */
bool say_lock_tick(void);

/* Whether stdout takes colours. */
bool say_colours_stdout(void);

#endif
