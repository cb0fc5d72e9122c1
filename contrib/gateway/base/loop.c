#include "contrib/gateway/base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ROUND_EVENTS 256

struct loop {
	int epoll;
	bool stopping;
	int64_t now;
	struct timer **heap; /* [1 … armed], the next to fire at 1 */
	size_t armed, room;
	struct later *first, **last, marker;
};

static int64_t monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct loop *loop_create(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		free(loop);
		return NULL;
	}
	loop->last = &loop->first;
	loop->now = monotonic_ms();
	return loop;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll);
	free(loop->heap);
	free(loop);
}

int64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

int loop_watch(struct loop *loop, struct watch *watch, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	watch->fd = fd;
	return 0;
}

void loop_forget(struct loop *loop, struct watch *watch)
{
	if (watch->fd < 0)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->fd = -1;
}

/* Put a timer into a place of the heap. */
static void place(struct loop *loop, size_t slot, struct timer *timer)
{
	loop->heap[slot] = timer;
	timer->slot = slot;
}

static void sift_up(struct loop *loop, size_t slot, struct timer *timer)
{
	while (slot > 1 && loop->heap[slot / 2]->at > timer->at) {
		place(loop, slot, loop->heap[slot / 2]);
		slot /= 2;
	}
	place(loop, slot, timer);
}

static void sift_down(struct loop *loop, size_t slot, struct timer *timer)
{
	for (;;) {
		size_t child = slot * 2;

		if (child > loop->armed)
			break;
		if (child < loop->armed && loop->heap[child + 1]->at < loop->heap[child]->at)
			child++;
		if (loop->heap[child]->at >= timer->at)
			break;
		place(loop, slot, loop->heap[child]);
		slot = child;
	}
	place(loop, slot, timer);
}

static int make_room(struct loop *loop)
{
	size_t room = loop->room ? loop->room * 2 : 64;
	struct timer **heap;

	if (loop->armed + 1 < loop->room)
		return 0;
	heap = realloc(loop->heap, room * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	loop->heap = heap;
	loop->room = room;
	return 0;
}

int loop_arm(struct loop *loop, struct timer *timer, int64_t at)
{
	loop_disarm(loop, timer);
	if (make_room(loop) < 0)
		return -ENOMEM;
	timer->at = at;
	sift_up(loop, ++loop->armed, timer);
	return 0;
}

void loop_disarm(struct loop *loop, struct timer *timer)
{
	size_t slot = timer->slot;
	struct timer *moved;

	if (!slot)
		return;
	timer->slot = 0;
	moved = loop->heap[loop->armed--];
	if (moved == timer)
		return;
	if (slot > 1 && loop->heap[slot / 2]->at > moved->at)
		sift_up(loop, slot, moved);
	else
		sift_down(loop, slot, moved);
}

void loop_later(struct loop *loop, struct later *later)
{
	if (later->queued)
		return;
	later->queued = true;
	later->next = NULL;
	*loop->last = later;
	loop->last = &later->next;
}

void loop_cancel(struct loop *loop, struct later *later)
{
	struct later **at = &loop->first;

	if (!later->queued)
		return;
	while (*at != later)
		at = &(*at)->next;
	*at = later->next;
	if (!*at)
		loop->last = at;
	later->queued = false;
}

/* Run those that are queued now: the marker at the end keeps those that they queue for the next
 * round, and taking one off at a time lets any of them cancel any other. */
static void run_later(struct loop *loop)
{
	if (!loop->first)
		return;
	loop_later(loop, &loop->marker);
	while (loop->first != &loop->marker) {
		struct later *later = loop->first;

		loop_cancel(loop, later);
		later->run(later);
	}
	loop_cancel(loop, &loop->marker);
}

void loop_settle(struct loop *loop)
{
	while (loop->first)
		run_later(loop);
}

static void fire_timers(struct loop *loop)
{
	while (loop->armed && loop->heap[1]->at <= loop->now) {
		struct timer *timer = loop->heap[1];

		loop_disarm(loop, timer);
		timer->fire(timer);
	}
}

static int time_to_wait(const struct loop *loop)
{
	int64_t ms;

	if (loop->first)
		return 0;
	if (!loop->armed)
		return -1;
	ms = loop->heap[1]->at - monotonic_ms();
	return ms < 0 ? 0 : ms > 3600000 ? 3600000 : (int)ms;
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[ROUND_EVENTS];

	while (!loop->stopping) {
		int count = epoll_wait(loop->epoll, events, ROUND_EVENTS, time_to_wait(loop));

		if (count < 0 && errno != EINTR)
			return -errno;
		loop->now = monotonic_ms();
		for (int i = 0; i < count; i++) {
			struct watch *watch = events[i].data.ptr;

			if (watch->fd >= 0)
				watch->ready(watch, events[i].events);
		}
		fire_timers(loop);
		run_later(loop);
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}
