/*
 * secure-toggle flip PORT: accept() on a socket at that port while another thread sets and clears
 * its O_NONBLOCK, for two seconds.
 *
 * secure-toggle share PORT COMMAND …: a socket that listens at that port, with the number 9, for
 * the command, which is started; for each line on standard input a connection is taken here.
 *
 * secure-toggle take: accept() on descriptor 9, until it fails with EACCES.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHARED = 9 };

static int listening = SHARED;
static struct sockaddr_in address = {.sin_family = AF_INET};
static _Atomic int over, refused;

static void nothing(int signal)
{
	(void)signal;
}

static void *flip(void *unused)
{
	for (int on = 0; !over; on = !on)
		ioctl(listening, FIONBIO, &on);
	return unused;
}

static void *take(void *unused)
{
	while (!over) {
		int fd = accept(listening, NULL, NULL);
		if (fd >= 0)
			close(fd);
		else if (errno == EACCES)
			over = refused = 1; /* who sees that it is over sees why */
	}
	return unused;
}

static void listen_at(const char *port)
{
	int on = 1;
	address.sin_port = htons((uint16_t)atoi(port));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listening = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listening, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listening, 64) < 0) {
		perror("secure-toggle");
		exit(1);
	}
}

/* A thread that takes, interrupted a thousand times a second. */
static void take_for(int seconds)
{
	pthread_t thread;
	pthread_create(&thread, NULL, take, NULL);
	for (int i = 0; i < 1000 * seconds && !over; i++) {
		usleep(1000);
		pthread_kill(thread, SIGUSR1);
	}
	over = 1;
	puts(refused ? "refused" : "not refused");
	fflush(stdout);
	_exit(0);
}

static void share(char **command)
{
	dup2(listening, SHARED);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execv(command[0], command);
		_exit(127);
	}
	for (int byte; (byte = getchar()) != EOF;) {
		if (byte != '\n')
			continue;
		close(accept(listening, NULL, NULL));
		puts("taken");
		fflush(stdout);
	}
	waitpid(child, NULL, 0);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = nothing};
	pthread_t thread;
	sigaction(SIGUSR1, &action, NULL);
	if (argc > 2)
		listen_at(argv[2]);
	puts("begins");
	fflush(stdout);
	if (argc > 3)
		share(argv + 3);
	if (argc < 3) {
		take(NULL);
		puts("refused");
		return 0;
	}
	pthread_create(&thread, NULL, flip, NULL);
	take_for(2);
	return 0;
}
