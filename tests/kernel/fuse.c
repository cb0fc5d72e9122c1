#include "tests/kernel/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"

#define PLACE "/etc/hosts" /* a file that is there; nobody else sees ours */
#define SIZE  (1 << 20)

static struct {
	const char *missing;
	int error, device;
	pid_t server;
	uid_t user;
	unsigned unanswered;
	bool async;
	volatile int *withheld; /* shared: a request has come that is left unanswered */
} fuse;

static void answer(const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	static char buffer[8192];
	struct fuse_out_header *out = (struct fuse_out_header *)buffer;
	*out = (struct fuse_out_header){(uint32_t)(sizeof(*out) + size), error, in->unique};
	memcpy(out + 1, data ? data : "", data ? size : 0);
	if (write(fuse.device, buffer, out->len) < 0 && errno == ENODEV)
		_exit(0);
}

static void serve(const struct fuse_in_header *in)
{
	struct fuse_init_out init = {.major = 7,
				     .minor = 31,
				     .max_readahead = 1 << 16,
				     .max_write = 4096,
				     .max_background = 100,
				     .flags = fuse.async ? FUSE_ASYNC_READ : 0};
	struct fuse_attr_out attr = {.attr_valid = 1000,
				     .attr = {.ino = FUSE_ROOT_ID,
					      .mode = S_IFREG | 0644,
					      .nlink = 1,
					      .size = SIZE,
					      .uid = fuse.user,
					      .gid = fuse.user}};
	struct fuse_open_out open = {0};
	if (in->opcode == FUSE_INIT)
		answer(in, 0, &init, sizeof(init));
	else if (in->opcode == FUSE_GETATTR)
		answer(in, 0, &attr, sizeof(attr));
	else if (in->opcode == FUSE_OPEN)
		answer(in, 0, &open, sizeof(open));
	else if (in->opcode == FUSE_FLUSH && !(fuse.unanswered & UNANSWERED_FLUSH))
		answer(in, 0, NULL, 0);
	else if (in->opcode == FUSE_RELEASE)
		answer(in, 0, NULL, 0);
	else if (in->opcode == FUSE_FLUSH ||
		 (in->opcode == FUSE_READ && fuse.unanswered & UNANSWERED_READ))
		*fuse.withheld = 1;
	else if (in->opcode != FUSE_INTERRUPT && in->opcode != FUSE_FORGET &&
		 in->opcode != FUSE_BATCH_FORGET)
		answer(in, -ENOSYS, NULL, 0);
}

static void serve_all(void)
{
	static _Alignas(8) char buffer[1 << 16];
	if (fuse.user != getuid()) /* who ends it is that user */
		become(fuse.user);
	alarm(90);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		ssize_t got = read(fuse.device, buffer, sizeof(buffer));
		if (got >= (ssize_t)sizeof(struct fuse_in_header))
			serve((const struct fuse_in_header *)buffer);
		else if (got < 0 && errno == ENODEV)
			_exit(0);
	}
}

static bool failed(const char *what)
{
	fuse.missing = what;
	fuse.error = errno;
	return true;
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;
	close(fd);
	return done;
}

/* An ordinary user may mount in a user namespace of its own. */
static bool own_namespace(void)
{
	char uids[64], gids[64];
	snprintf(uids, sizeof(uids), "%u %u 1", getuid(), getuid());
	snprintf(gids, sizeof(gids), "%u %u 1", getgid(), getgid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && put("/proc/self/setgroups", "deny") &&
	       put("/proc/self/uid_map", uids) && put("/proc/self/gid_map", gids);
}

static bool cannot_mount(uid_t group)
{
	char options[128];
	if (geteuid() == 0 ? unshare(CLONE_NEWNS) < 0 : !own_namespace())
		return failed("a namespace");
	fuse.device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse.device < 0)
		return failed("/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=100644,user_id=%u,group_id=%u",
		 fuse.device, (unsigned)fuse.user, (unsigned)group);
	return (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("test", PLACE, "fuse", MS_NOSUID | MS_NODEV, options) < 0) &&
	       failed("a FUSE file");
}

void fuse_serve(unsigned unanswered, bool async)
{
	const char *user = getenv("GS_KERNEL_USER");
	fuse.unanswered = unanswered;
	fuse.async = async;
	fuse.user = user && getuid() == 0 ? (uid_t)strtoul(user, NULL, 10) : getuid();
	if (cannot_mount(fuse.user == getuid() ? getgid() : fuse.user))
		return;
	fuse.withheld = shared(sizeof(*fuse.withheld));
	fuse.server = fork();
	if (fuse.server == 0)
		serve_all();
	close(fuse.device);
}

int fuse_open(void)
{
	struct stat known;
	if (fuse.missing)
		skip("%s: %s", fuse.missing, strerror(fuse.error));
	stat(PLACE, &known); /* whose it is: before, that is root */
	int fd = open(PLACE, O_RDWR | O_CLOEXEC);
	expect(fd >= 0, "the FUSE file: %s", strerror(errno));
	return fd;
}

void *fuse_page(void)
{
	int fd = fuse_open();
	void *page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(page != MAP_FAILED, "mmap: %s", strerror(errno));
	return page;
}

void fuse_end(void)
{
	kill(fuse.server, SIGKILL);
	waitpid(fuse.server, NULL, 0);
}

pid_t start_unkillable(const char *what, int (*body)(void *), void *arg)
{
	const struct timespec moment = {0, 20000000};
	pid_t pid = start(body, arg);
	while (!*fuse.withheld) /* until the server has it, a signal takes it back */
		sched_yield();
	wait_asleep(pid);
	kill(pid, SIGKILL);
	nanosleep(&moment, NULL); /* time to end, if it could */
	expect(waitpid(pid, NULL, WNOHANG) == 0, "%s is ended by SIGKILL", what);
	return pid;
}
