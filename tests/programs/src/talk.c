/*
 * One connection, by the plainest calls: what the static programs of the tests are made of.
 *
 *     talk listen PORT TEXT        take one connection, print what comes until its end, answer TEXT
 *     talk call HOST PORT TEXT     connect, send TEXT, print the answer
 *     talk resolve HOST PORT       print the address that HOST has
 *     talk chroot DIR COMMAND …    one of the above inside DIR, in the same process
 */

#include <errno.h>
#include <netdb.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what, const char *why)
{
	fprintf(stderr, "talk: %s: %s\n", what, why);
	exit(1);
}

static struct addrinfo *look_up(const char *host, const char *port, int flags)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
	struct addrinfo *list;
	int rc = getaddrinfo(host, port, &hints, &list);
	if (rc)
		die(host ? host : port, gai_strerror(rc));
	return list;
}

static void send_text(int fd, const char *text)
{
	for (size_t len = strlen(text); len > 0;) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		if (n < 0)
			die("send", strerror(errno));
		text += n;
		len -= (size_t)n;
	}
	if (shutdown(fd, SHUT_WR) < 0)
		die("shutdown", strerror(errno));
}

static void print_all(int fd)
{
	char buffer[4096];
	ssize_t n;
	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		if (write(STDOUT_FILENO, buffer, (size_t)n) != n)
			die("write", strerror(errno));
	if (n < 0)
		die("recv", strerror(errno));
}

static int call(char **argv)
{
	int fd = -1;
	for (struct addrinfo *to = look_up(argv[0], argv[1], 0); to; to = to->ai_next) {
		fd = socket(to->ai_family, SOCK_STREAM, 0);
		if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) == 0)
			break;
		if (!to->ai_next)
			die("connect", strerror(errno));
		close(fd);
	}
	send_text(fd, argv[2]);
	print_all(fd);
	return 0;
}

static int take(char **argv)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_flags = AI_PASSIVE}, *at;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0), peer;
	hints.ai_socktype = SOCK_STREAM;
	if (getaddrinfo(NULL, argv[0], &hints, &at))
		die(argv[0], "not a port");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 8) < 0)
		die("listen", strerror(errno));
	if ((peer = accept(fd, NULL, NULL)) < 0)
		die("accept", strerror(errno));
	print_all(peer);
	send_text(peer, argv[1]);
	return 0;
}

static int resolve(char **argv)
{
	char host[256];
	struct addrinfo *list = look_up(argv[0], argv[1], 0);
	getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
	puts(host);
	return 0;
}

/* Who is not root becomes it in a namespace of his own, where chroot() is allowed. */
static void change_root(const char *dir)
{
	if (geteuid() != 0 && unshare(CLONE_NEWUSER) < 0)
		die("unshare", strerror(errno));
	if (chroot(dir) < 0 || chdir("/") < 0)
		die("chroot", strerror(errno));
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "chroot")) {
		change_root(argv[2]);
		argc -= 2;
		argv += 2;
	}
	if (argc == 4 && !strcmp(argv[1], "listen"))
		return take(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "call"))
		return call(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "resolve"))
		return resolve(argv + 2);
	fputs("usage: talk listen PORT TEXT | call HOST PORT TEXT | resolve HOST PORT\n", stderr);
	return 2;
}
