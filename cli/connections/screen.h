#ifndef GS_SCREEN_H
#define GS_SCREEN_H

/* A whole terminal for a while: its alternate screen, keys as they are pressed. It is given back at
 * the end, also when a signal ends or stops the program. */

#include <stdbool.h>
#include <stddef.h>

enum screen_key {
	SCREEN_NONE = 0, /* less than 256: the byte */
	SCREEN_UP = 256,
	SCREEN_DOWN,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_END,
	SCREEN_RESIZED,
	SCREEN_GONE, /* the terminal is */
};

struct screen {
	int columns, rows;
	bool utf8, colours;
	char *frame; /* what is to be drawn; its end is in used */
	size_t used, room;
	int line; /* lines of it so far */
	char keys[32];
	size_t keys_count;
};

/* 0, or -errno. There can be only one. */
int screen_open(struct screen *screen);
void screen_close(struct screen *screen);

/* Wait for a key at most ms. */
int screen_key(struct screen *screen, long long ms);

/* Draw: begin, one line after the other (clean UTF-8; cut to the columns; bold where colours are
 * allowed), as many as there are rows (more are dropped), and end, which shows them. */
void screen_begin(struct screen *screen);
void screen_line(struct screen *screen, const char *text, bool bold);
int screen_end(struct screen *screen);

#endif
