/*
 * graceful PORT: four children wait in accept() at one listening socket, and send back a line of
 * each connection. Every 5 ms the oldest is asked by SIGUSR1, without SA_RESTART, to end: it
 * finishes what it has in hand, calls accept() no more, and ends; another takes its place. SIGTERM
 * ends it all, and it prints how many have ended so.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN 4

static volatile sig_atomic_t leave;

static void on_signal(int number)
{
	leave = number;
}

static void serve(int peer)
{
	char line[64];
	ssize_t got;
	do
		got = read(peer, line, sizeof(line));
	while (got < 0 && errno == EINTR);
	if (got > 0 && write(peer, line, (size_t)got) != got)
		perror("write");
	close(peer);
}

static pid_t start(int listener)
{
	pid_t child = fork();
	if (child)
		return child;
	signal(SIGTERM, SIG_DFL);
	while (!leave) {
		int peer = accept(listener, NULL, NULL);
		if (peer >= 0)
			serve(peer);
	}
	_exit(0);
}

static int listen_on(const char *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(port)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 128) == 0)
		return listener;
	perror("graceful");
	exit(1);
}

int main(int argc, char **argv)
{
	static const struct timespec pause = {.tv_nsec = 5000000};
	struct sigaction action = {.sa_handler = on_signal};
	pid_t children[CHILDREN];
	int ended = 0;
	if (argc != 2)
		return 2;
	int listener = listen_on(argv[1]);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	for (int i = 0; i < CHILDREN; i++)
		children[i] = start(listener);
	for (; !leave; ended++) {
		pid_t *oldest = &children[ended % CHILDREN];
		nanosleep(&pause, NULL);
		kill(*oldest, SIGUSR1);
		while (waitpid(*oldest, NULL, 0) < 0 && !leave)
			;
		*oldest = start(listener);
	}
	for (int i = 0; i < CHILDREN; i++)
		kill(children[i], SIGKILL);
	printf("ended %d\n", ended);
	return 0;
}
