/*
 * alarmed PORT restart|no-restart blocking|poll US: an echo server of one thread, under a SIGALRM
 * every US microseconds whose handler is set with or without SA_RESTART; 0: none. Each connection
 * sends a number; it is printed, and sent back. SIGUSR1 ends the alarms. SIGTERM ends it, and it
 * prints how many alarms came, and how often accept() returned.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms, over;
static int returns;

static void on_signal(int number)
{
	static const struct itimerval never;
	if (number == SIGTERM)
		over = 1;
	else if (number == SIGUSR1)
		setitimer(ITIMER_REAL, &never, NULL);
	else
		alarms++;
}

static void die(const char *what)
{
	fprintf(stderr, "alarmed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void begin_signals(bool restart, int us)
{
	struct sigaction alarm = {.sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0};
	struct sigaction term = {.sa_handler = on_signal};
	struct itimerval every = {{us / 1000000, us % 1000000}, {us / 1000000, us % 1000000}};
	if (sigaction(SIGALRM, &alarm, NULL) < 0 || sigaction(SIGUSR1, &alarm, NULL) < 0 ||
	    sigaction(SIGTERM, &term, NULL) < 0 || setitimer(ITIMER_REAL, &every, NULL) < 0)
		die("signals");
}

static int listening(int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 128) < 0)
		die("listen");
	return fd;
}

/* One line comes, and goes back. */
static void serve(int fd)
{
	char line[64];
	size_t len = 0;
	while (len < sizeof(line) && (len == 0 || line[len - 1] != '\n')) {
		ssize_t n = recv(fd, line + len, sizeof(line) - len, 0);
		if (n == 0 || (n < 0 && errno != EINTR))
			die("recv");
		len += n > 0 ? (size_t)n : 0;
	}
	if (write(STDOUT_FILENO, line, len) != (ssize_t)len || send(fd, line, len, 0) < 0)
		die("send");
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	int fd = listening(atoi(argv[1]));
	bool polls = !strcmp(argv[3], "poll");
	begin_signals(!strcmp(argv[2], "restart"), atoi(argv[4]));
	while (!over) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		if (polls && poll(&ready, 1, 20000) < 0 && errno != EINTR)
			die("poll");
		if (polls && !(ready.revents & POLLIN))
			continue;
		int made = accept(fd, NULL, NULL);
		returns++;
		if (made >= 0)
			serve(made);
		else if (errno != EINTR)
			die("accept");
	}
	printf("alarms %d\nreturns %d\n", (int)alarms, returns);
	return 0;
}
