#include "supervisor/kernel/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/fault.h"

static int descriptor(const struct state *state, const struct call *call)
{
	return state->programs[call->program].notify_fd;
}

int notify_receive(struct state *state, uint32_t program, uint32_t *index)
{
	uint32_t taken = state->receiving != NONE ? state->receiving : call_take(state);
	if (taken == NONE)
		return -ENOSPC;
	state->receiving = taken;
	struct call *call = &state->calls[taken];
	call->program = program;
	/* The kernel wants zeros, and only a call that it has filled has an id. */
	fault_point("notify.receiving");
	if (ioctl(descriptor(state, call), SECCOMP_IOCTL_NOTIF_RECV, &call->notif) < 0)
		return -errno;
	fault_point("notify.received");
	state->receiving = NONE;
	fault_point("notify.recorded");
	state->counters.notifications++;
	*index = taken;
	return 0;
}

/* 0 or -errno. The watchdog's signal may end the wait for the filter's lock; then nothing was done,
 * and a call that is given up for that would wait for ever. */
static int request(int fd, unsigned long what, void *arg)
{
	int err;
	do {
		err = ioctl(fd, what, arg) < 0 ? -errno : 0;
	} while (err == -EINTR);
	return err;
}

bool notify_valid(const struct state *state, const struct call *call)
{
	uint64_t id = call->notif.id;
	return request(descriptor(state, call), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void notify_forget(struct state *state, uint32_t call)
{
	call_give(state, call);
}

static int answer(struct state *state, uint32_t index, int64_t value, int error, uint32_t flags)
{
	struct seccomp_notif_resp resp = {
		.id = state->calls[index].notif.id, .val = value, .error = -error, .flags = flags};
	fault_point("notify.answering");
	int err = request(descriptor(state, &state->calls[index]), SECCOMP_IOCTL_NOTIF_SEND, &resp);
	fault_point("notify.answered");
	notify_forget(state, index);
	fault_point("notify.forgotten");
	return err;
}

int notify_return(struct state *state, uint32_t call, int64_t value)
{
	return answer(state, call, value, 0, 0);
}

int notify_fail(struct state *state, uint32_t call, int error)
{
	return answer(state, call, 0, error, 0);
}

int notify_pass(struct state *state, uint32_t call)
{
	return answer(state, call, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int notify_inject(int notify_fd, uint64_t id, int fd, bool cloexec)
{
	struct seccomp_notif_addfd add = {
		.id = id, .srcfd = (uint32_t)fd, .newfd_flags = cloexec ? O_CLOEXEC : 0};
	int number = ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	return number < 0 ? -errno : number;
}

bool notify_is_listener(int fd)
{
	uint64_t none = 0; /* no notification has this id */
	return request(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &none) == -ENOENT;
}

void notify_tune(int notify_fd)
{
	ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}
