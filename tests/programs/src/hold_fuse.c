/* A FUSE file whose server leaves out the answers that it is told to: fuse(4). */

#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACE "/etc/hosts" /* a file that everybody has; only this program sees ours */
#define PAGES (1 << 18)

static struct {
	pid_t server;
	int device;
	uint8_t *pages;
	_Atomic unsigned next;
	struct shared {
		_Atomic unsigned held;
		_Atomic bool direct;
	} * shared;
} fuse;

/* --- the server --- */

static void answer(const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	static char buffer[(1 << 17) + sizeof(struct fuse_out_header)];
	struct fuse_out_header *out = (struct fuse_out_header *)buffer;
	out->unique = in->unique;
	out->error = error;
	out->len = (uint32_t)(sizeof(*out) + size);
	memcpy(out + 1, data ? data : "", data ? size : 0);
	if (write(fuse.device, buffer, out->len) < 0 && errno == ENODEV)
		_exit(0);
}

static struct fuse_attr attributes(void)
{
	return (struct fuse_attr){.ino = FUSE_ROOT_ID,
				  .mode = S_IFREG | 0644,
				  .nlink = 1,
				  .size = (uint64_t)PAGES * HOLD_PAGE,
				  .blksize = HOLD_PAGE,
				  .uid = getuid(),
				  .gid = getgid()};
}

static void serve_read(const struct fuse_in_header *in)
{
	static const char zeros[1 << 17];
	const struct fuse_read_in *read = (const struct fuse_read_in *)(in + 1);
	answer(in, 0, zeros, read->size < sizeof(zeros) ? read->size : sizeof(zeros));
}

static void serve_write(const struct fuse_in_header *in)
{
	struct fuse_write_out out = {.size = ((const struct fuse_write_in *)(in + 1))->size};
	answer(in, 0, &out, sizeof(out));
}

static unsigned bit_of(uint32_t opcode)
{
	return opcode == FUSE_OPEN    ? HELD_OPEN
	       : opcode == FUSE_READ  ? HELD_READ
	       : opcode == FUSE_WRITE ? HELD_WRITE
	       : opcode == FUSE_FLUSH ? HELD_FLUSH
				      : 0;
}

/* Of the attacker's own threads: it has to be able to end, which closes its files. */
static bool is_own(const struct fuse_in_header *in)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%u", (int)getppid(), in->pid);
	return access(path, F_OK) == 0;
}

static void serve(const struct fuse_in_header *in)
{
	struct fuse_init_out init = {.major = 7,
				     .minor = 31,
				     .max_readahead = 1 << 16,
				     .max_write = 1 << 16,
				     .max_background = 1000,
				     .flags = hold.async ? FUSE_ASYNC_READ : 0};
	struct fuse_attr_out attr = {.attr_valid = 1000, .attr = attributes()};
	struct fuse_open_out open = {.open_flags = fuse.shared->direct ? FOPEN_DIRECT_IO
								       : FOPEN_KEEP_CACHE};
	if (bit_of(in->opcode) & fuse.shared->held && !(in->opcode == FUSE_FLUSH && is_own(in)))
		return;
	switch (in->opcode) {
	case FUSE_INIT:
		answer(in, 0, &init, sizeof(init));
		return;
	case FUSE_GETATTR:
		answer(in, 0, &attr, sizeof(attr));
		return;
	case FUSE_OPEN:
		answer(in, 0, &open, sizeof(open));
		return;
	case FUSE_READ:
		serve_read(in);
		return;
	case FUSE_WRITE:
		serve_write(in);
		return;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		answer(in, 0, NULL, 0);
		return;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return; /* they want no answer */
	default:
		answer(in, -ENOSYS, NULL, 0);
	}
}

static void serve_all(void)
{
	static _Alignas(8) char buffer[(1 << 16) + HOLD_PAGE];
	alarm((unsigned)hold.seconds + HOLD_GRACE + HOLD_START);
	for (;;) {
		ssize_t got = read(fuse.device, buffer, sizeof(buffer));
		if (got >= (ssize_t)sizeof(struct fuse_in_header))
			serve((const struct fuse_in_header *)buffer);
		else if (got < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT)
			_exit(0);
	}
}

/* --- the file --- */

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		hold_skip(path);
	close(fd);
}

static void own_namespace(void)
{
	char map[64];
	unsigned uid = getuid(), gid = getgid();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		hold_skip("a user namespace");
	put("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	put("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	put("/proc/self/gid_map", map);
}

/* As fusermount(1), which is set-uid root, does it for users: in nobody's namespace but the first
 * one, so that whoever looks is a user that the file knows. */
static void mount_for_user(const char *options)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("hold", PLACE, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		hold_skip("a FUSE file");
	if (setgroups(0, NULL) < 0 || setresgid(hold.uid, hold.uid, hold.uid) < 0 ||
	    setresuid(hold.uid, hold.uid, hold.uid) < 0)
		hold_fail("another user");
	prctl(PR_SET_DUMPABLE, 1);
}

static void mount_in_namespace(const char *options)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("hold", PLACE, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		hold_skip("a FUSE file");
}

void fuse_start(void)
{
	char options[128];
	unsigned uid = hold.uid ? hold.uid : getuid(), gid = hold.uid ? hold.uid : getgid();
	if (!hold.uid)
		own_namespace();
	fuse.device = open(hold.device, O_RDWR | O_CLOEXEC);
	if (fuse.device < 0)
		hold_skip(hold.device);
	snprintf(options, sizeof(options), "fd=%d,rootmode=100644,user_id=%u,group_id=%u",
		 fuse.device, uid, gid);
	if (hold.uid)
		mount_for_user(options);
	else
		mount_in_namespace(options);
	fuse.shared =
		mmap(NULL, HOLD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fuse.shared == MAP_FAILED)
		hold_fail("mmap");
	fuse.server = hold_fork();
	if (fuse.server == 0)
		serve_all();
	close(fuse.device);
	struct stat known;
	stat(PLACE, &known); /* whose it is: before, that is a user who is not there */
	int fd = fuse_open(O_RDWR, false);
	fuse.pages = fd < 0 ? MAP_FAILED
			    : mmap(NULL, (size_t)PAGES * HOLD_PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, fd, 0);
	if (fuse.pages == MAP_FAILED)
		hold_fail("the FUSE file");
	close(fd);
}

void fuse_hold(unsigned which)
{
	fuse.shared->held = which;
}

void fuse_stop(void)
{
	if (fuse.server <= 0)
		return;
	kill(fuse.server, SIGKILL);
	waitpid(fuse.server, NULL, 0);
}

int fuse_open(int flags, bool direct)
{
	fuse.shared->direct = direct;
	int fd = open(PLACE, flags | O_CLOEXEC);
	fuse.shared->direct = false;
	return fd;
}

void *fuse_page(void)
{
	/* read-ahead asks for those that follow in the same request: leave them out */
	return fuse.pages + (size_t)(fuse.next++ * 64 % PAGES) * HOLD_PAGE;
}
