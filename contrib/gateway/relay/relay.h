#ifndef GW_RELAY_H
#define GW_RELAY_H

/*
 * Moves bytes between two connected sockets, both ways, until both ways have ended. Bytes go from
 * socket to pipe to socket by splice(2) and are never copied by this program; a way that is idle
 * holds no pipe. See relay.c.
 */

#include "contrib/gateway/base/loop.h"
#include "contrib/gateway/base/pipes.h"

enum { RELAY_ENDS = 2 };

/* One way: from ends[i] to the other end. */
struct relay_way {
	struct pipe_pair *pipe; /* NULL while nothing is on the way */
	size_t held;            /* bytes in the pipe */
	bool more;              /* the last turn was over before there was nothing to do */
	bool ended;             /* the end of the stream was passed on */
};

struct relay {
	struct loop *loop;
	struct pipes *pipes;
	int ends[RELAY_ENDS];
	bool broken[RELAY_ENDS]; /* that socket failed: the other is to be told */
	struct relay_way ways[RELAY_ENDS];
	struct later again; /* more to do than one turn allows */
	struct timer linger;
	int64_t patience; /* until when a broken relay delivers what it holds */
	void (*over)(struct relay *relay, bool broke);
};

/* Begin, with two non-blocking sockets, which stay the owner's. over() is called once, at the end,
 * for the owner to close them, with a RST where it broke off; never from within relay_start(). */
void relay_start(struct relay *relay, struct loop *loop, struct pipes *pipes, int a, int b,
		 void (*over)(struct relay *relay, bool broke));

/* The owner watches the sockets edge-triggered, for EPOLLIN, EPOLLOUT and EPOLLRDHUP, and passes on
 * what it is told of the end 0 or 1. */
void relay_event(struct relay *relay, int end, uint32_t events);

/* Give up what the relay holds; over() is not called. Nothing to do after over(). */
void relay_stop(struct relay *relay);

#endif
