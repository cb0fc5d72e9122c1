#ifndef GS_TERMINAL_H
#define GS_TERMINAL_H

/* Where the user is asked: on the controlling terminal, so that a question takes nothing from a
 * command's stdin and adds nothing to its stdout. No mode of the terminal is changed, so there is
 * nothing to restore when a signal ends the program. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct terminal {
	int in;
	FILE *out;
	bool opened; /* out is ours to close */
};

/* Open the controlling terminal. 0, or -errno: there is none, or it is another job that the user
 * talks to now (-EAGAIN). */
int terminal_open(struct terminal *terminal);

/* Take stdin and out instead, where there is no terminal. */
void terminal_substitute(struct terminal *terminal, FILE *out);

void terminal_close(struct terminal *terminal);

/* Read one line and nothing behind it; what does not fit into size bytes is dropped, and so is the
 * newline. tick is called about ten times a second and returns false to end the wait. 0; -ENODATA:
 * the input ended before a line; -EINTR: by tick; or -errno. */
int terminal_read_line(const struct terminal *terminal, char *line, size_t size,
		       bool (*tick)(void));

#endif
