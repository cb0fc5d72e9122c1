#ifndef GW_PIPES_H
#define GW_PIPES_H

/* Pipes to splice through, lent to whoever has data on the way. */

#include <stddef.h>

struct pipe_pair {
	int out, in; /* read from out, write to in */
	struct pipe_pair *next;
};

struct pipes;

struct pipes *pipes_create(void);
void pipes_destroy(struct pipes *pipes);

/* An empty pipe; NULL with errno set. */
struct pipe_pair *pipes_take(struct pipes *pipes);

/* Give it back; empty says whether it is. */
void pipes_give(struct pipes *pipes, struct pipe_pair *pair, int empty);

#endif
