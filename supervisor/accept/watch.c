#include "supervisor/accept/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "supervisor/accept/accept.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/work.h"
#include "supervisor/calls/core.h"

#define EVENTS 64
#define SHARE  50                  /* reading takes one part in so many */
#define MOST   (2 * MAX_LISTENERS) /* in the list, which the kernel makes again for each reader */

static struct watch {
	int epoll;
	int number;          /* that all are registered by; between two, a duplicate of epoll */
	int info;            /* /proc/self/fdinfo/EPOLL; -1: nothing is watched */
	uint32_t items;      /* in it, at most: sockets that are gone since it was read count */
	uint64_t read_after; /* it is not to be read again before */
} own;

static struct listener *at(struct supervisor *s, uint32_t index)
{
	return &s->state->listeners[index];
}

void watch_init(struct supervisor *s)
{
	struct watch *watch = &own;
	char path[64];
	*watch = (struct watch){.epoll = epoll_create1(EPOLL_CLOEXEC), .number = -1, .info = -1};
	if (watch->epoll < 0)
		return;
	watch->number = fcntl(watch->epoll, F_DUPFD_CLOEXEC, 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", watch->epoll);
	if (watch->number >= 0 && loop_watch(&s->loop, watch->epoll, EPOLLIN, false,
					     (struct object_id){.kind = OBJECT_WATCH}) == 0)
		watch->info = open(path, O_RDONLY | O_CLOEXEC);
	s->state->watch_info = watch->info;
}

void watch_own(bool *owned, int max)
{
	if (own.epoll >= 0 && own.epoll < max)
		owned[own.epoll] = true;
	if (own.number >= 0 && own.number < max)
		owned[own.number] = true;
}

/* Is there room in the list? What was watched may be gone by now: then that is looked at. */
static bool has_room(struct supervisor *s)
{
	if (own.items >= MOST)
		watch_forget_gone(s);
	return own.items < MOST;
}

/* Whoever gave us fd has it still: closing the duplicate closes no socket. */
static int change(const struct watch *watch, int op, int fd, struct epoll_event *event)
{
	if (dup3(fd, watch->number, O_CLOEXEC) < 0)
		return -errno;
	int err = epoll_ctl(watch->epoll, op, watch->number, event) < 0 ? -errno : 0;
	dup3(watch->epoll, watch->number, O_CLOEXEC);
	return err;
}

void watch_listener(struct supervisor *s, uint32_t index, int fd)
{
	struct watch *watch = &own;
	struct epoll_event event = {.events = EPOLLIN | EPOLLET,
				    .data.u64 = loop_tag(supervisor_id(s, OBJECT_LISTENER, index))};
	if (at(s, index)->watched || watch->info < 0 || !has_room(s))
		return;
	int err = change(watch, EPOLL_CTL_ADD, fd, &event);
	watch->items += err == 0;
	if (err == -EEXIST) /* it was known before by another name */
		err = change(watch, EPOLL_CTL_MOD, fd, &event);
	at(s, index)->watched = err == 0;
}

void watch_end(struct supervisor *s, uint32_t index, int fd)
{
	struct watch *watch = &own;
	if (at(s, index)->watched && change(watch, EPOLL_CTL_DEL, fd, NULL) == 0)
		watch->items--;
	at(s, index)->watched = false;
}

void watch_event(struct supervisor *s)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(own.epoll, events, EVENTS, 0);
	for (int i = 0; i < count; i++) {
		struct object_id id = loop_object(events[i].data.u64);
		if (!supervisor_stands(s, id))
			continue;
		work_on_listener(s->state, id.index);
		accept_arrived(s, id.index);
	}
}

/* --- those that are gone --- */

/* Each line of the list has the tag of one: "… data: 400000100000002 …". */
static void mark(struct supervisor *s, const char *line, bool *seen)
{
	const char *data = strstr(line, " data:");
	struct object_id id = loop_object(data ? strtoull(data + 6, NULL, 16) : 0);
	own.items += data != NULL;
	if (data && id.index < MAX_LISTENERS && supervisor_stands(s, id))
		seen[id.index] = true;
}

/* Those that are in the list. False: it cannot be read. */
static bool read_list(struct supervisor *s, bool *seen)
{
	char text[4096];
	size_t len = 0;
	ssize_t got = -1;
	uint32_t before = own.items;
	if (own.info < 0 || lseek(own.info, 0, SEEK_SET) < 0)
		return false;
	own.items = 0;
	while (len < sizeof(text) - 1 &&
	       (got = read(own.info, text + len, sizeof(text) - 1 - len)) > 0) {
		char *line = text, *end;
		text[len + (size_t)got] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			mark(s, line, seen);
		}
		len = strlen(line);
		memmove(text, line, len + 1);
	}
	if (got != 0)
		own.items = before;
	return got == 0;
}

/* Another process may still have a connection of it, and make us wait for its lock. */
static void forget(struct supervisor *s, uint32_t index)
{
	work_on_listener(s->state, index);
	accept_gone(s, index);
	work_on(s->state, work_of_nobody());
}

void watch_forget_gone(struct supervisor *s)
{
	uint64_t now = loop_now();
	bool seen[MAX_LISTENERS] = {false};
	if (now < own.read_after || !read_list(s, seen))
		return;
	struct work_item before = work_on(s->state, work_of_nobody());
	for (uint32_t i = 0; i < s->state->listener_pool.top; i++)
		if (at(s, i)->slot.used && at(s, i)->watched && !seen[i])
			forget(s, i);
	work_go_on(s->state, before);
	own.read_after = loop_now() + SHARE * (loop_now() - now);
}

bool watch_sweep(struct supervisor *s)
{
	bool waits = false;
	for (uint32_t i = 0; i < s->state->listener_pool.top && !waits; i++) {
		const struct listener *listener = at(s, i);
		waits = listener->slot.used && listener->watched &&
			(listener->ready_count || listener->incoming);
	}
	if (waits)
		watch_forget_gone(s);
	return waits;
}
