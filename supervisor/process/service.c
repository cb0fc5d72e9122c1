#include "supervisor/process/service.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/base/numbers.h"
#include "supervisor/tunnel/copy.h"

#define FIRST        3     /* of the descriptors that are passed */
#define STORED       "gs-" /* and its number: what we had stored under that name */
#define MEMORY       "gs-memory"
#define SEND_SECONDS 5

/* --- telling --- */

bool service_is_managed(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	return path && (path[0] == '/' || path[0] == '@') &&
	       strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

static int notify_open(void)
{
	struct timeval limit = {.tv_sec = SEND_SECONDS};
	int fd = service_is_managed() ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

/* Send text, and fd with it unless it is -1. 0 or -errno. */
static int notify_send(int socket, const char *text, int fd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	strcpy(to.sun_path, path);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract name */
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)),
		.msg_iov = &iov,
		.msg_iovlen = 1};
	if (fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void service_tell(const char *text)
{
	if (!service_is_managed())
		return;
	cleanup_fd int fd = notify_open();
	int err = fd < 0 ? -errno : notify_send(fd, text, -1);
	if (err < 0)
		log_warn("cannot notify the service manager: %s", strerror(-err));
}

/* --- what is passed --- */

static int passed_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	if (!pid || !count || strtol(pid, NULL, 10) != getpid())
		return 0;
	return (int)strtol(count, NULL, 10);
}

/* The name of the descriptor of that index; "" for none. */
static void passed_name(int index, char *name, size_t size)
{
	const char *names = getenv("LISTEN_FDNAMES");
	for (; names && index > 0; index--) {
		names = strchr(names, ':');
		names += names != NULL;
	}
	snprintf(name, size, "%.*s", names ? (int)strcspn(names, ":") : 0, names ? names : "");
}

/* The manager keeps what it passes until it is told not to. */
static void forget_stored(int count)
{
	cleanup_fd int socket = notify_open();
	for (int i = 0; socket >= 0 && i < count; i++) {
		char name[64], text[128];
		passed_name(i, name, sizeof(name));
		snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
		if (strncmp(name, STORED, strlen(STORED)) == 0)
			notify_send(socket, text, -1);
	}
}

static bool is_control(int fd)
{
	int type = 0, listens = 0;
	socklen_t len = sizeof(int);
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

int service_socket(void)
{
	int found = -ENOTSOCK, count = passed_count();
	for (int fd = FIRST; fd < FIRST + count; fd++) {
		if (found >= 0 || !is_control(fd)) {
			close(fd);
			continue;
		}
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, O_NONBLOCK);
		found = fd;
	}
	forget_stored(count);
	unsetenv("LISTEN_PID"); /* what is gone is passed to nobody */
	return found;
}

/* --- signs of life --- */

int service_watchdog(void)
{
	const char *pid = getenv("WATCHDOG_PID"), *text = getenv("WATCHDOG_USEC");
	uint64_t usec = text ? strtoull(text, NULL, 10) / 3 : 0;
	if (!service_is_managed() || !usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return -1;
	const struct timespec each = {.tv_sec = (time_t)(usec / 1000000),
				      .tv_nsec = (long)(usec % 1000000 * 1000)};
	const struct itimerspec times = {each, each};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd >= 0)
		timerfd_settime(fd, 0, &times, NULL);
	return fd;
}

void service_tick(struct keeper *keeper)
{
	struct state *state = keeper->state;
	uint64_t ticks;
	if (read(keeper->keeping.watchdog, &ticks, sizeof(ticks)) < 0)
		return;
	if (state->beat == state->beat_wanted)
		service_tell("WATCHDOG=1");
	state->beat_wanted++;
	eventfd_write(state->supervisor_wakes, 1);
}

/* --- the store --- */

/* What is opened again. */
static bool is_passing(int fd, const char *what)
{
	return (fd < OWN_NUMBERS && strcmp(what, "/dev/null") == 0) ||
	       strstr(what, "[eventpoll]") || strstr(what, "[timerfd]") ||
	       strstr(what, "[pidfd]") || strncmp(what, "pidfd:", 6) == 0 ||
	       strncmp(what, "/memfd:hosts", 12) == 0;
}

static int store_one(int socket, const struct keeping *keeping, int fd)
{
	char text[64];
	if (fd == keeping->memory)
		snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", MEMORY);
	else
		snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s%d", STORED, fd);
	return notify_send(socket, text, fd);
}

static int store_all(int socket, const struct keeping *keeping)
{
	int err = 0;
	DIR *dir = opendir("/proc/self/fd");
	if (!dir)
		return -errno;
	for (struct dirent *entry; err == 0 && (entry = readdir(dir));) {
		char what[64];
		int fd = (int)strtol(entry->d_name, NULL, 10);
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, what, sizeof(what) - 1);
		what[len > 0 ? len : 0] = '\0';
		if (len > 0 && fd > STDERR_FILENO && fd != dirfd(dir) && fd != socket &&
		    (fd == keeping->watchdog || !is_passing(fd, what)))
			err = store_one(socket, keeping, fd);
	}
	closedir(dir);
	return err;
}

/* Has the manager read all that was sent? It closes the end of a pipe then. */
static int wait_until_read(int socket)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	cleanup_fd int here = ends[0], there = ends[1];
	int err = notify_send(socket, "BARRIER=1", there);
	close_fd(&there);
	struct pollfd end = {.fd = here};
	if (err == 0 && poll(&end, 1, SEND_SECONDS * 1000) <= 0)
		err = -ETIMEDOUT;
	return err;
}

bool service_store(struct keeper *keeper)
{
	if (keeper->keeping.memory < 0 || !service_is_managed())
		return false;
	keeper->state->keeping = keeper->keeping;
	cleanup_fd int socket = notify_open();
	int err = socket < 0 ? -errno : store_all(socket, &keeper->keeping);
	if (err == 0)
		err = wait_until_read(socket);
	if (err < 0)
		log_warn("the service manager did not store the descriptors: %s", strerror(-err));
	return err == 0;
}

/* --- taking back --- */

/* The number that a descriptor had, or -1: it is not one of ours. */
static int number_of(const struct state *state, int index)
{
	char name[64];
	passed_name(index, name, sizeof(name));
	if (strcmp(name, MEMORY) == 0)
		return state->keeping.memory;
	if (strncmp(name, STORED, strlen(STORED)) != 0)
		return -1;
	return (int)strtol(name + strlen(STORED), NULL, 10);
}

static struct state *find_state(int count)
{
	char name[64];
	for (int i = 0; i < count; i++) {
		passed_name(i, name, sizeof(name));
		if (strcmp(name, MEMORY) == 0)
			return state_adopt(FIRST + i);
	}
	return NULL;
}

/* Move what was passed out of the way of all numbers: where it begins now, or -errno. */
static int move_away(const struct state *state, int count)
{
	int above = FIRST + count;
	for (int i = 0; i < count; i++)
		if (number_of(state, i) >= above)
			above = number_of(state, i) + 1;
	for (int i = 0; i < count; i++)
		if (dup2(FIRST + i, above + i) < 0)
			return -errno;
	for (int i = 0; i < count; i++)
		close(FIRST + i);
	return above;
}

/* Every descriptor back to its number. Of what else was passed, only a control socket counts: it
 * may be another than before. */
static int put_back(const struct state *state, int count)
{
	int err = 0, above = move_away(state, count), control = -1;
	for (int i = 0; above >= 0 && i < count; i++) {
		int number = number_of(state, i);
		if (number > STDERR_FILENO && dup3(above + i, number, O_CLOEXEC) < 0)
			err = -errno;
		if (number < 0 && is_control(above + i))
			control = above + i;
	}
	if (control >= 0) {
		fcntl(control, F_SETFL, O_NONBLOCK);
		dup3(control, state->control_fd, O_CLOEXEC);
	}
	for (int i = 0; above >= 0 && i < count; i++)
		close(above + i);
	return above < 0 ? above : err;
}

/* What died with the processes. */
static void begin_again(struct state *state)
{
	state->stopping = false;
	state->upgrade.stage = UPGRADE_IDLE;
	state->upgrade.client = NONE;
	state->beat = (uint32_t)state->beat_wanted;
	for (size_t i = 0; i < sizeof(state->lookups) / sizeof(*state->lookups); i++) {
		struct lookup *lookup = &state->lookups[i];
		lookup->pid = 0;
		if (lookup->stage != LOOKUP_RUNNING)
			continue;
		close(lookup->fd);
		lookup->stage = LOOKUP_WANTED;
	}
	copy_begin_again(state);
	eventfd_write(state->keeper_wakes, 1);
}

bool service_restore(struct keeper *keeper)
{
	int count = passed_count();
	struct state *state = find_state(count);
	if (!state)
		return false;
	keeper_raise_limit();
	int err = put_back(state, count);
	forget_stored(count);
	if (err < 0) {
		log_warn("cannot restore what the service manager stored: %s", strerror(-err));
		exit(1); /* half of it is lost: the launches notice, and serve themselves */
	}
	unsetenv("LISTEN_PID");
	keeper->state = state;
	keeper->keeping = state->keeping;
	begin_again(state);
	return true;
}
