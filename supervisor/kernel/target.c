#include "supervisor/kernel/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/fault.h"
#include "supervisor/base/fd.h"
#include "supervisor/kernel/chore.h"
#include "supervisor/kernel/hand.h"
#include "supervisor/kernel/proc.h"
#include "supervisor/kernel/socket.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static int moved(int count, uint32_t len)
{
	if (count < 0)
		return count;
	return (uint32_t)count == len ? 0 : -EFAULT;
}

int target_read(struct state *state, const struct call *call, uint64_t address, void *data,
		uint32_t len)
{
	int tid = (int)call->notif.pid;
	int got = state->yama ? -EPERM : hand_own_read(tid, address, data, len);
	if (got == -EPERM) {
		got = hand_read(state, tid, address, data, len);
		state->yama |= got >= 0; /* the keeper may and we may not: so it will be */
	}
	return moved(got, len);
}

int target_write(struct state *state, const struct call *call, uint64_t address, const void *data,
		 uint32_t len)
{
	struct hand_piece piece = {address, data, len}, none = {0};
	return hand_write(state, call, piece, none);
}

int target_write_two(struct state *state, const struct call *call, struct hand_piece first,
		     struct hand_piece second)
{
	return hand_write(state, call, first, second);
}

static int pidfd_open_flags(int pid, unsigned flags)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, flags);
	return fd < 0 ? -errno : fd;
}

bool target_probe_pidfd_thread(void)
{
	int fd = pidfd_open_flags((int)gettid(), PIDFD_THREAD);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int target_pidfd(int process)
{
	return pidfd_open_flags(process, 0);
}

int target_group(struct state *state, int tid)
{
	return hand_proc(state, HAND_GROUP, tid, -1);
}

int target_caller(struct state *state, int tid, struct executable *executable)
{
	struct proc_caller caller = {0};
	int size = hand_proc(state, HAND_CALLER, tid, -1);
	if (size == (int)sizeof(caller))
		memcpy(&caller, state->hand.data, sizeof(caller));
	*executable = caller.executable;
	return size < 0 ? size : caller.group;
}

bool target_is_in_our_network(struct state *state, int tid)
{
	return hand_proc(state, HAND_NETWORK, tid, -1) == 1;
}

int target_parent(struct state *state, int tid)
{
	return hand_proc(state, HAND_PARENT, tid, -1);
}

/* Before Linux 6.9 a pidfd is a thread group's: right only where the thread shares its table. A
 * first thread's number is its group's. */
static int open_group(struct state *state, int tid)
{
	int fd = pidfd_open_flags(tid, 0);
	if (fd >= 0)
		return fd;
	int group = hand_proc(state, HAND_TABLE_GROUP, tid, -1);
	return group < 0 ? group : pidfd_open_flags(group, 0);
}

static int getfd(struct state *state, int pidfd, int number)
{
	int fd = state->yama ? -EPERM : hand_own_getfd(pidfd, number);
	if (fd == -EPERM)
		fd = hand_getfd(state, pidfd, number);
	fault_point("target.duplicated");
	return fd;
}

/* The pidfds of the threads that called last. This process's own: another supervisor closes what it
 * finds of them. A thread that is gone gives ESRCH, also where another has its number now. */
static struct recent {
	int tid, fd;
} recent[16];

void target_own(bool *owned, int max)
{
	for (unsigned i = 0; i < sizeof(recent) / sizeof(*recent); i++)
		if (recent[i].tid && recent[i].fd < max)
			owned[recent[i].fd] = true;
}

static struct recent *recent_of(int tid)
{
	static unsigned oldest;
	for (unsigned i = 0; i < sizeof(recent) / sizeof(*recent); i++)
		if (recent[i].tid == tid)
			return &recent[i];
	return &recent[oldest++ % (sizeof(recent) / sizeof(*recent))];
}

static int getfd_of_thread(struct state *state, int tid, int number)
{
	struct recent *thread = recent_of(tid);
	if (thread->tid == tid) {
		int fd = getfd(state, thread->fd, number);
		if (fd != -ESRCH)
			return fd;
	}
	if (thread->tid)
		close(thread->fd);
	thread->fd = pidfd_open_flags(tid, PIDFD_THREAD);
	fault_point("target.pidfd-opened");
	thread->tid = thread->fd < 0 ? 0 : tid;
	return thread->fd < 0 ? thread->fd : getfd(state, thread->fd, number);
}

static int duplicate(struct state *state, int tid, int number)
{
	if (tid <= 0)
		return -EPERM; /* of another pid namespace */
	if (state->pidfd_thread)
		return getfd_of_thread(state, tid, number);
	cleanup_fd int pidfd = open_group(state, tid);
	return pidfd < 0 ? pidfd : getfd(state, pidfd, number);
}

/* Nothing else is any use, and close() of another file can wait for who serves it. */
static int only_a_socket(uint32_t program, int tid, int fd, uint64_t *cookie)
{
	if (fd < 0 || (*cookie = socket_cookie(fd)))
		return fd;
	chore_release_odd(program, tid, fd);
	return -ENOTSOCK;
}

int target_descriptor_of(struct state *state, uint32_t program, int tid, int number)
{
	uint64_t cookie;
	return only_a_socket(program, tid, duplicate(state, tid, number), &cookie);
}

int target_socket(struct state *state, const struct call *call, int number,
		  struct identity *identity)
{
	int tid = (int)call->notif.pid;
	int fd =
		only_a_socket(call->program, tid, duplicate(state, tid, number), &identity->cookie);
	if (fd >= 0) /* should it have us wait; this waits for nothing */
		state->work.item.uid = identity->uid = socket_owner(fd);
	return fd;
}

int target_descriptor(struct state *state, const struct call *call, int number)
{
	struct identity identity;
	return target_socket(state, call, number, &identity);
}

uint64_t socket_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

int target_find_socket(struct state *state, int tid, int fd)
{
	return hand_proc(state, HAND_FIND_SOCKET, tid, fd);
}

void target_comm(struct state *state, int tid, char name[TARGET_COMM])
{
	int len = hand_proc(state, HAND_COMM, tid, -1);
	memcpy(name, len >= 0 ? (const char *)state->hand.data : "?", len >= 0 ? TARGET_COMM : 2);
	name[TARGET_COMM - 1] = '\0';
}

bool target_has_socket(struct state *state, uint32_t program, int tid, int number, uint64_t cookie)
{
	cleanup_socket int fd = target_descriptor_of(state, program, tid, number);
	return fd >= 0 && socket_cookie(fd) == cookie;
}

int target_owner(struct state *state, int tid)
{
	return hand_proc(state, HAND_OWNER, tid, -1);
}
