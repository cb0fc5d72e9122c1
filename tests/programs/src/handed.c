/*
 * handed HOW HOST PORT: a socket that one process connects and another uses. Prints what comes back
 * for a word.
 *
 *     files    connected by a process that shares the descriptors: clone(CLONE_FILES)
 *     vfork    by a child that borrows the parent's memory
 *     spawn    by a program that posix_spawn() has started and that has inherited it
 *     late     begun without blocking by the parent, which closes it; a line of input later the
 *              child, which has not asked anything, uses it
 *     x32      x32's connect() first: prints its errno too
 */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static struct addrinfo *to;

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "handed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int end_of(pid_t pid)
{
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("child");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void use(int fd)
{
	char word[5] = "";
	if (send(fd, "word", 4, MSG_NOSIGNAL) != 4 || recv(fd, word, 4, MSG_WAITALL) != 4)
		die("use");
	puts(word);
}

static int connect_it(int fd)
{
	return connect(fd, to->ai_addr, to->ai_addrlen) == 0 ? 0 : errno;
}

static int by_files(int fd)
{
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (child == 0)
		_exit(connect_it(fd));
	return end_of(child);
}

static int by_vfork(int fd)
{
	pid_t child = vfork();
	if (child == 0)
		_exit(connect_it(fd));
	return end_of(child);
}

static int by_spawn(char **argv, int fd)
{
	char number[16];
	char how[] = "number", *words[] = {argv[0], how, argv[2], argv[3], number, NULL};
	pid_t child = -1;
	snprintf(number, sizeof(number), "%d", fd);
	errno = posix_spawn(&child, "/proc/self/exe", NULL, NULL, words, environ);
	return end_of(child);
}

static int late(int fd)
{
	char line[8];
	int error = 0;
	socklen_t len = sizeof(error);
	if (connect_it(fd) != EINPROGRESS)
		die("connect");
	pid_t child = fork();
	if (child != 0) {
		close(fd);
		puts("closed");
		fflush(stdout);
		exit(end_of(child));
	}
	if (read(STDIN_FILENO, line, sizeof(line)) < 0)
		die("stdin");
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	if (poll(&writable, 1, 20000) != 1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		die("poll");
	fcntl(fd, F_SETFL, 0);
	return error;
}

static int by_x32(int fd)
{
	long rc = syscall(0x40000000 | SYS_connect, fd, to->ai_addr, to->ai_addrlen);
	printf("%s ", rc < 0 && errno == ENOSYS ? "ENOSYS" : "something else");
	return connect_it(fd);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	if (argc < 4 || getaddrinfo(argv[2], argv[3], &hints, &to))
		die("usage");
	const char *how = argv[1];
	if (!strcmp(how, "number"))
		return connect_it(atoi(argv[4]));
	int fd = socket(to->ai_family, SOCK_STREAM | (strcmp(how, "late") ? 0 : SOCK_NONBLOCK), 0);
	errno = !strcmp(how, "files")   ? by_files(fd)
		: !strcmp(how, "vfork") ? by_vfork(fd)
		: !strcmp(how, "spawn") ? by_spawn(argv, fd)
		: !strcmp(how, "late")  ? late(fd)
					: by_x32(fd);
	if (errno)
		die("connect");
	use(fd);
	return 0;
}
