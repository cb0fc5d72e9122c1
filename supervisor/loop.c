#include "supervisor/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/state.h"

#define GEN_MASK 0xffffffu
#define NEAR     (10 * MILLISECOND)

int loop_init(struct loop *loop, loop_stands *stands, const void *owner)
{
	*loop = (struct loop){
		.epoll = epoll_create1(EPOLL_CLOEXEC), .stands = stands, .owner = owner};
	return loop->epoll < 0 ? -errno : 0;
}

void loop_finish(struct loop *loop)
{
	close(loop->epoll);
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

bool loop_due(struct loop *loop, uint64_t now, struct object_id *id)
{
	if (loop->count == 0 || loop->heap[0].at > now)
		return false;
	*id = loop_object(loop->heap[0].tag);
	loop->heap[0] = loop->heap[--loop->count];
	sift_down(loop, 0);
	return true;
}

/* What is near is waited for with the kernel's precision; -ENOSYS or -EPERM: it has no such call,
 * or a filter that is in force does not know it. */
static int wait_briefly(struct loop *loop, struct epoll_event *events, int max, uint64_t ns)
{
	struct timespec time = {.tv_nsec = (long)ns};
	long count = syscall(SYS_epoll_pwait2, loop->epoll, events, max, &time, NULL, 0);
	return count < 0 ? -errno : (int)count;
}

int loop_wait(struct loop *loop, struct epoll_event *events, int max)
{
	int timeout = -1;
	if (loop->count) {
		uint64_t now = loop_now(), at = loop->heap[0].at, wait = at <= now ? 0 : at - now;
		if (wait && wait < NEAR) {
			int count = wait_briefly(loop, events, max, wait);
			if (count != -ENOSYS && count != -EPERM)
				return count;
		}
		/* rounded up: a deadline is reported after its time, not before */
		wait = (wait + MILLISECOND - 1) / MILLISECOND;
		timeout = wait < INT_MAX ? (int)wait : INT_MAX;
	}
	int count = epoll_wait(loop->epoll, events, max, timeout);
	return count < 0 ? -errno : count;
}
