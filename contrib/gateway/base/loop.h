#ifndef GW_LOOP_H
#define GW_LOOP_H

/*
 * The event loop: epoll, timers, and things to do at the end of a round. Everything in the gateway
 * but the jobs of offload.h runs on it, so nothing here or in its users is locked.
 *
 * The structs are embedded in what they belong to and found again with container_of(). After
 * loop_forget() a watch is not called again, not even for an event of the same round; what holds it
 * may be freed at the end of the round, by loop_later().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

struct watch {
	void (*ready)(struct watch *watch, uint32_t events);
	int fd; /* -1 while not watched */
};

struct timer {
	void (*fire)(struct timer *timer);
	int64_t at;  /* loop_now() time, ms */
	size_t slot; /* its place in the heap, from 1; 0 while not armed */
};

struct later {
	void (*run)(struct later *later);
	struct later *next;
	bool queued;
};

/* NULL with errno set. */
struct loop *loop_create(void);
void loop_destroy(struct loop *loop);

/* Milliseconds of CLOCK_MONOTONIC when this round began. */
int64_t loop_now(const struct loop *loop);

/* Call watch->ready, set by the caller, on events of fd. 0 or -errno. */
int loop_watch(struct loop *loop, struct watch *watch, int fd, uint32_t events);

/* Stop watching; the caller closes the descriptor. Does nothing when not watched. */
void loop_forget(struct loop *loop, struct watch *watch);

/* Call timer->fire once, at or after that time; arming again moves it. 0 or -ENOMEM. */
int loop_arm(struct loop *loop, struct timer *timer, int64_t at);
void loop_disarm(struct loop *loop, struct timer *timer);

/* Call later->run when the events of this round are done. What is queued by such a call runs in the
 * next round, which then does not wait. */
void loop_later(struct loop *loop, struct later *later);
void loop_cancel(struct loop *loop, struct later *later);

/* Rounds until loop_stop(). 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Run what loop_later() was given, without waiting for events: for the end of the program. */
void loop_settle(struct loop *loop);

#endif
