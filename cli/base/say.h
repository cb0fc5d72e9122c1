#ifndef GS_SAY_H
#define GS_SAY_H

/* Messages on stderr: one line each, without control characters, even if the text comes from
 * elsewhere. Colour and the progress line only on a terminal; no colour with NO_COLOR. */

#include <stdbool.h>

enum say_level {
	SAY_QUIET, /* errors alone: no notes, warnings and progress */
	SAY_NORMAL,
	SAY_VERBOSE,
	SAY_DEBUG,
};

void say_setup(enum say_level level);

#define SAY_FORMAT __attribute__((format(printf, 1, 2)))
SAY_FORMAT void say_error(const char *format, ...);
SAY_FORMAT void say_warning(const char *format, ...);
SAY_FORMAT void say_note(const char *format, ...);
/* With -v only, and with --debug only; never a secret or token. */
SAY_FORMAT void say_verbose(const char *format, ...);
SAY_FORMAT void say_debug(const char *format, ...);

/* Show a progress line while waiting for something; NULL: remove it. Any message removes it too.
 * say_tick() updates it; call it as often as you like. */
void say_waiting(const char *what);
void say_tick(void);
bool say_is_waiting(void);

/* Whether -v was given. */
bool say_is_verbose(void);

/* To be called while waiting for another process's lock; false: a signal asks to end. */
bool say_lock_tick(void);

/* Whether stdout takes colours. */
bool say_colours_stdout(void);

#endif
