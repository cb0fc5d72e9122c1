#ifndef GS_LOOP_H
#define GS_LOOP_H

/*
 * What the supervisor waits for: descriptors (epoll) and deadlines (a heap). Both name their object
 * by kind, index and generation, so that an event for an object that is gone by now is known as
 * such. Nothing in here survives the process: the next supervisor asks again from the state.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum object {
	OBJECT_NOTIFY,   /* the filter's listener descriptor */
	OBJECT_WAKE,     /* the keeper calls */
	OBJECT_CONN,     /* a conn's socket or deadline */
	OBJECT_CALL,     /* a call's deadline */
	OBJECT_LISTENER, /* a listener's duplicate */
	OBJECT_BELL,     /* a listener's bell */
	OBJECT_WATCH,    /* the sockets that are watched without being held (watch.h) */
	OBJECT_LOOKUP,   /* a tunnel's lookup */
	OBJECT_CONTROL,  /* the control socket */
	OBJECT_CLIENT,   /* a connection to it */
	OBJECT_SWEEP,    /* time to look after held calls */
	OBJECT_SEARCH,   /* time to search for who has what */
	OBJECT_TIMER,    /* the loop's own: a deadline has come */
};

struct object_id {
	uint8_t kind; /* enum object */
	uint32_t gen; /* the low 24 bits count */
	uint32_t index;
};

struct deadline {
	uint64_t at; /* monotonic ns */
	uint64_t tag;
};

/* Is this still a deadline of that object? One that has been met or put off is not. */
typedef bool loop_stands(const void *owner, struct object_id id, uint64_t at);

struct loop {
	int epoll, timer;
	uint64_t set; /* what the timer is set for; UINT64_MAX: nothing */
	struct deadline *heap;
	size_t count, room;
	loop_stands *stands;
	const void *owner;
};

/* stands is asked, with owner, before a deadline is waited for and when there is no room for one
 * more; NULL: all do. 0 or -errno. */
int loop_init(struct loop *loop, loop_stands *stands, const void *owner);
void loop_finish(struct loop *loop);

/* Watch fd for events (EPOLLIN, EPOLLOUT, …; level-triggered); again: it is watched already. A
 * duplicate of an application's socket must be unwatched before it is closed: the registration is
 * the open file's, not the number's. 0 or -errno. */
int loop_watch(struct loop *loop, int fd, uint32_t events, bool again, struct object_id id);
void loop_unwatch(struct loop *loop, int fd);

/* Report the object once, at or after that time. There is no way to cancel: the object knows
 * whether its deadline still stands, and those that do not are thrown out before the heap grows. A
 * deadline that cannot be kept for want of memory is dropped. */
void loop_at(struct loop *loop, uint64_t at, struct object_id id);

/* The next deadline that has passed; false: none. */
bool loop_due(struct loop *loop, uint64_t now, struct object_id *id);

/* Wait for descriptors until the next deadline: how many of events are filled, or -errno. */
struct epoll_event;
int loop_wait(struct loop *loop, struct epoll_event *events, int max);

uint64_t loop_tag(struct object_id id);
struct object_id loop_object(uint64_t tag);

/* Monotonic nanoseconds. */
uint64_t loop_now(void);

#endif
