#include "supervisor/base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/base/state.h"

#define GEN_MASK 0xffffffu

int loop_init(struct loop *loop, loop_stands *stands, const void *owner)
{
	*loop = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC),
			      .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
			      .set = UINT64_MAX,
			      .stands = stands,
			      .owner = owner};
	if (loop->epoll < 0 || loop->timer < 0)
		return -errno;
	return loop_watch(loop, loop->timer, EPOLLIN, false,
			  (struct object_id){.kind = OBJECT_TIMER});
}

void loop_finish(struct loop *loop)
{
	close(loop->epoll);
	close(loop->timer);
	free(loop->heap);
}

uint64_t loop_tag(struct object_id id)
{
	return (uint64_t)id.kind << 56 | (uint64_t)(id.gen & GEN_MASK) << 32 | id.index;
}

struct object_id loop_object(uint64_t tag)
{
	return (struct object_id){.kind = (uint8_t)(tag >> 56),
				  .gen = (uint32_t)(tag >> 32) & GEN_MASK,
				  .index = (uint32_t)tag};
}

uint64_t loop_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

int loop_watch(struct loop *loop, int fd, uint32_t events, bool again, struct object_id id)
{
	struct epoll_event event = {.events = events, .data.u64 = loop_tag(id)};
	int op = again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (epoll_ctl(loop->epoll, op, fd, &event) == 0)
		return 0;
	if (errno == EEXIST && epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	return -errno;
}

void loop_unwatch(struct loop *loop, int fd)
{
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void swap(struct deadline *a, struct deadline *b)
{
	struct deadline t = *a;
	*a = *b;
	*b = t;
}

static void sift_down(struct loop *loop, size_t i)
{
	for (size_t child; (child = 2 * i + 1) < loop->count; i = child) {
		if (child + 1 < loop->count && loop->heap[child + 1].at < loop->heap[child].at)
			child++;
		if (loop->heap[i].at <= loop->heap[child].at)
			break;
		swap(&loop->heap[i], &loop->heap[child]);
	}
}

/* A handshake's deadline is far off and the handshake soon over: most of a full heap is stale. */
static void throw_out_stale(struct loop *loop)
{
	size_t kept = 0;
	for (size_t i = 0; i < loop->count; i++)
		if (loop->stands(loop->owner, loop_object(loop->heap[i].tag), loop->heap[i].at))
			loop->heap[kept++] = loop->heap[i];
	loop->count = kept;
	for (size_t i = kept / 2; i-- > 0;)
		sift_down(loop, i);
}

/* Room for one more. It grows only where more than half of it stands, so that looking through it
 * costs each deadline a constant. */
static bool make_room(struct loop *loop)
{
	if (loop->count < loop->room)
		return true;
	if (loop->stands)
		throw_out_stale(loop);
	if (loop->room && loop->count <= loop->room / 2)
		return true;
	size_t room = loop->room ? 2 * loop->room : 64;
	struct deadline *heap = reallocarray(loop->heap, room, sizeof(*heap));
	if (!heap)
		return loop->count < loop->room;
	loop->heap = heap;
	loop->room = room;
	return true;
}

void loop_at(struct loop *loop, uint64_t at, struct object_id id)
{
	if (!make_room(loop))
		return;
	size_t i = loop->count++;
	loop->heap[i] = (struct deadline){at, loop_tag(id)};
	for (; i && loop->heap[(i - 1) / 2].at > loop->heap[i].at; i = (i - 1) / 2)
		swap(&loop->heap[(i - 1) / 2], &loop->heap[i]);
}

static void take_first(struct loop *loop)
{
	loop->heap[0] = loop->heap[--loop->count];
	sift_down(loop, 0);
}

bool loop_due(struct loop *loop, uint64_t now, struct object_id *id)
{
	if (loop->count == 0 || loop->heap[0].at > now)
		return false;
	*id = loop_object(loop->heap[0].tag);
	take_first(loop);
	return true;
}

/* Set the timer for the next deadline that stands; where it is set for less, that does no harm. A
 * timer of the kernel's own costs a wait nothing, as the time limit of each epoll_wait() would. */
static void set_timer(struct loop *loop)
{
	while (loop->stands && loop->count &&
	       !loop->stands(loop->owner, loop_object(loop->heap[0].tag), loop->heap[0].at))
		take_first(loop);
	uint64_t at = loop->count ? loop->heap[0].at : UINT64_MAX;
	if (loop->set <= at && loop->set > loop_now())
		return;
	struct itimerspec spec = {0}; /* off; and what it has counted is forgotten */
	if (loop->count) {
		spec.it_value.tv_sec = (time_t)(at / SECOND);
		spec.it_value.tv_nsec = (long)(at % SECOND);
	}
	timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &spec, NULL);
	loop->set = at;
}

int loop_wait(struct loop *loop, struct epoll_event *events, int max)
{
	set_timer(loop);
	int count = epoll_wait(loop->epoll, events, max, -1);
	return count < 0 ? -errno : count;
}
