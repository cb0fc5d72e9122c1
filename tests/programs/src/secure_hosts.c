/*
 * A program that makes of its /etc/hosts what it likes, and reads it.
 *
 *     secure-hosts read                      as it is
 *     secure-hosts link TARGET…              a link to each, one after the other
 *     secure-hosts bind FILE…                a mount of each
 *     secure-hosts make fifo|folder|socket   one of these
 *     secure-hosts root DIR                  that of another root, which no mount is in between
 *     secure-hosts flags                     by all flags of open(2) that there are
 *     secure-hosts many COUNT                by so many processes at once: how often what was the
 * same secure-hosts long                      its length, and a sum of its bytes secure-hosts fuse
 * DEVICE WHEN COUNT    a file of its own, whose server does not answer at "open" or "read", or is
 * "deaf" from then on; by so many processes. The server's id is told first
 *
 * What is read is printed between "== WHAT" lines, or "error: WHY". All but read, flags, many and
 * long need namespaces of their own, where who is not root may mount.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char hosts[] = "/etc/hosts";

static void die(const char *what)
{
	fprintf(stderr, "secure-hosts: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void be_alone(void)
{
	char map[64];
	uid_t user = geteuid();
	gid_t group = getegid();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		die("unshare");
	put("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", user);
	put("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", group);
	put("/proc/self/gid_map", map);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("private");
}

static void own_etc(void)
{
	if (mount("etc", "/etc", "tmpfs", 0, NULL) < 0)
		die("tmpfs");
}

static int show(const char *what)
{
	char buffer[4096];
	ssize_t got;
	int fd = open(hosts, O_RDONLY);
	printf("== %s\n", what);
	if (fd < 0) {
		printf("error: %s\n", strerror(errno));
		fflush(stdout);
		return -1;
	}
	fflush(stdout);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		if (write(STDOUT_FILENO, buffer, (size_t)got) != got)
			die("write");
	if (got < 0)
		printf("error: in reading: %s\n", strerror(errno));
	fflush(stdout);
	close(fd);
	return 0;
}

static void each_link(char **targets)
{
	be_alone();
	own_etc();
	for (; *targets; targets++) {
		unlink(hosts);
		if (symlink(*targets, hosts) < 0)
			die("symlink");
		show(*targets);
	}
}

static void each_mount(char **files)
{
	be_alone();
	for (; *files; files++) {
		if (mount(*files, hosts, NULL, MS_BIND, NULL) < 0)
			die(*files);
		show(*files);
		if (umount2(hosts, MNT_DETACH) < 0)
			die("umount");
	}
}

static void make(const char *what)
{
	be_alone();
	own_etc();
	int err = strcmp(what, "fifo") == 0     ? mkfifo(hosts, 0666)
		  : strcmp(what, "folder") == 0 ? mkdir(hosts, 0777)
						: mknod(hosts, S_IFSOCK | 0666, 0);
	if (err < 0)
		die(what);
	alarm(10); /* a FIFO that nobody writes to blocks who reads it */
	show(what);
}

static void other_root(const char *dir)
{
	be_alone();
	if (chroot(dir) < 0 || chdir("/") < 0)
		die(dir);
	show(dir);
}

/* --- flags --- */

static const struct {
	const char *name;
	int flags;
} ways[] = {
	{"plain", 0},
	{"O_CLOEXEC", O_CLOEXEC},
	{"O_NONBLOCK", O_NONBLOCK},
	{"O_APPEND", O_APPEND},
	{"O_NOATIME", O_NOATIME},
	{"O_NOCTTY", O_NOCTTY},
	{"O_SYNC", O_SYNC},
	{"O_DSYNC|O_NONBLOCK", O_DSYNC | O_NONBLOCK},
	{"O_NOFOLLOW", O_NOFOLLOW},
	{"O_DIRECTORY", O_DIRECTORY},
	{"O_PATH", O_PATH},
	{"O_PATH|O_NOFOLLOW", O_PATH | O_NOFOLLOW},
	{"O_CREAT|O_EXCL", O_CREAT | O_EXCL},
	{"O_TMPFILE", O_TMPFILE},
	{"O_DIRECT", O_DIRECT},
};

static void each_way(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		char byte, path[64];
		int fd = open(hosts, O_RDONLY | ways[i].flags, 0600);
		if (fd < 0) {
			printf("%s: %s\n", ways[i].name, strerror(errno));
			continue;
		}
		printf("%s: flags %o %o, at %ld", ways[i].name,
		       (unsigned)fcntl(fd, F_GETFL) & ~O_NOFOLLOW, (unsigned)fcntl(fd, F_GETFD),
		       (long)lseek(fd, 0, SEEK_CUR));
		printf(", read %zd", read(fd, &byte, 1));
		printf(", write %zd", write(fd, "x", 1));
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		int again = open(path, O_RDWR);
		/* only what is sealed is written to, never the machine's own file */
		int seals = fcntl(fd, F_GET_SEALS);
		bool sealed = seals >= 0 && seals & F_SEAL_FUTURE_WRITE;
		bool writable = again >= 0 && (!sealed || pwrite(again, "x", 1, 0) == 1);
		printf(", again %s\n", writable ? "writable" : "refused");
		if (again >= 0)
			close(again);
		close(fd);
	}
}

/* --- much of it --- */

static void add_up(void)
{
	static unsigned char buffer[1 << 16];
	unsigned long len = 0, sum = 0;
	ssize_t got;
	int fd = open(hosts, O_RDONLY);
	if (fd < 0)
		die(hosts);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < got; i++)
			len++, sum = sum * 31 + buffer[i];
	printf("%lu %lu\n", len, sum);
	fflush(stdout);
}

static int many(int count)
{
	int ends[2], failed = 0, status;
	if (pipe(ends) < 0)
		die("pipe");
	for (int i = 0; i < count; i++)
		if (fork() == 0) {
			char go;
			close(ends[1]);
			if (read(ends[0], &go, 1) == 0)
				add_up();
			_exit(0);
		}
	close(ends[1]); /* all at once */
	while (wait(&status) > 0)
		failed += status != 0;
	return failed;
}

/* --- a file system of its own --- */

struct question {
	struct fuse_in_header head;
	char rest[1 << 17];
};

static void answer(int device, uint64_t unique, int error, const void *data, size_t len)
{
	char buffer[4096];
	struct fuse_out_header head = {(uint32_t)(sizeof(head) + len), error, unique};
	memcpy(buffer, &head, sizeof(head));
	memcpy(buffer + sizeof(head), data, len);
	if (write(device, buffer, head.len) < 0 && errno != ENOENT)
		die("fuse answer");
}

static struct fuse_attr attributes(uint64_t node)
{
	struct fuse_attr attr = {.ino = node,
				 .nlink = 1,
				 .size = node == 1 ? 0 : 4096,
				 .blksize = 4096,
				 .mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0644};
	return attr;
}

static void serve_one(int device, const struct question *question)
{
	const struct fuse_in_header *head = &question->head;
	struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 65536};
	struct fuse_attr_out attr = {.attr_valid = 1000, .attr = attributes(head->nodeid)};
	struct fuse_entry_out entry = {
		.nodeid = 2, .entry_valid = 1000, .attr_valid = 1000, .attr = attributes(2)};
	struct fuse_open_out open = {0};
	if (head->opcode == FUSE_INIT)
		answer(device, head->unique, 0, &init, sizeof(init));
	else if (head->opcode == FUSE_GETATTR)
		answer(device, head->unique, 0, &attr, sizeof(attr));
	else if (head->opcode == FUSE_LOOKUP)
		answer(device, head->unique, 0, &entry, sizeof(entry));
	else if (head->opcode == FUSE_OPEN)
		answer(device, head->unique, 0, &open, sizeof(open));
	else if (head->opcode == FUSE_READ || head->opcode == FUSE_FLUSH)
		answer(device, head->unique, 0, "", 0);
	else if (head->opcode != FUSE_FORGET && head->opcode != FUSE_BATCH_FORGET &&
		 head->opcode != FUSE_INTERRUPT)
		answer(device, head->unique, -ENOSYS, "", 0);
}

/* Each question that is left open is told by a line. */
static void serve(int device, const char *when)
{
	static struct question question;
	const uint32_t hangs = strcmp(when, "read") == 0 ? FUSE_READ : FUSE_OPEN;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(device, &question, sizeof(question)) > 0) {
		if (question.head.opcode != hangs) {
			serve_one(device, &question);
			if (strcmp(when, "deaf") == 0 && question.head.opcode == FUSE_LOOKUP)
				pause();
			continue;
		}
		printf("open: %s of %u\n", when, question.head.pid);
		fflush(stdout);
	}
	exit(0);
}

static void own_file(const char *path, const char *when, int count)
{
	char options[128];
	be_alone();
	int device = open(path, O_RDWR | O_CLOEXEC);
	if (device < 0)
		die(path);
	own_etc();
	if (mkdir("/etc/fuse", 0755) < 0 || symlink("fuse/file", hosts) < 0)
		die("mkdir");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
	if (mount("own", "/etc/fuse", "fuse", 0, options) < 0)
		die("fuse");
	pid_t server = fork();
	if (server == 0)
		serve(device, when);
	close(device);
	printf("server %d\n", (int)server);
	fflush(stdout);
	for (int i = 0; i < count; i++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			show("own");
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "read") == 0)
		return show("read") < 0;
	if (strcmp(what, "long") == 0)
		add_up();
	else if (strcmp(what, "flags") == 0)
		each_way();
	else if (strcmp(what, "link") == 0)
		each_link(argv + 2);
	else if (strcmp(what, "bind") == 0)
		each_mount(argv + 2);
	else if (argc == 3 && strcmp(what, "make") == 0)
		make(argv[2]);
	else if (argc == 3 && strcmp(what, "root") == 0)
		other_root(argv[2]);
	else if (argc == 3 && strcmp(what, "many") == 0)
		return many(atoi(argv[2]));
	else if (argc == 5 && strcmp(what, "fuse") == 0)
		own_file(argv[2], argv[3], atoi(argv[4]));
	else
		return 2;
	return 0;
}
