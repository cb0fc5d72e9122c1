/* listener.h: another process's listening socket can be watched with no descriptor of it held: the
 * registration in epoll belongs to the open file, and ends with it. /proc/self/fdinfo of the epoll
 * lists it till then. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/kernel/net.h"
#include "tests/kernel/watch.h"

struct served {
	struct sockaddr_in address;
	int listener, order[2], done[2]; /* pipes: 'a' accept, 'c' close */
};

static int serves(void *arg)
{
	struct served *served = arg;
	char order;
	served->listener = tcp_listener(&served->address);
	do
		expect(write(served->done[1], "", 1) == 1, "write");
	while (read(served->order[0], &order, 1) == 1 &&
	       close(order == 'a' ? tcp_accept(served->listener) : served->listener) == 0);
	return 0;
}

static void have(struct served *served, const char *order)
{
	char done;
	if (*order)
		expect(write(served->order[1], order, 1) == 1, "write");
	expect(read(served->done[0], &done, 1) == 1, "it has ended");
}

static int registered(int epoll)
{
	char path[64], line[256];
	int count = 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epoll);
	FILE *info = fopen(path, "re");
	expect(info, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), info))
		count += strncmp(line, "tfd:", 4) == 0;
	fclose(info);
	return count;
}

static int events(int epoll, int patience)
{
	struct epoll_event event;
	return epoll_wait(epoll, &event, 1, patience);
}

int main(void)
{
	believe("a socket of another process is watched with no duplicate of it held");
	need_to_look_into_children();
	struct served *served = shared(sizeof(*served));
	expect(pipe(served->order) == 0 && pipe(served->done) == 0, "pipe: %s", strerror(errno));
	pid_t pid = start(serves, served);
	have(served, "");
	int epoll = epoll_create1(EPOLL_CLOEXEC), fd = duplicate(pid, served->listener);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	expect(fd >= 0, "a duplicate: %s", strerror(-fd));
	expect(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "add: %s", strerror(errno));
	close(fd);

	expect(events(epoll, 0) == 0, "an event before anybody called");
	for (int i = 0; i < 3; i++) {
		expect(tcp_connect(tcp_socket(0), &served->address) == 0, "connect");
		expect(events(epoll, -1) == 1, "no event"); /* or the watchdog's */
		expect(events(epoll, 0) == 0, "the event came twice");
	}
	have(served, "a");
	expect(events(epoll, 0) == 0, "accept() is an event");
	expect(registered(epoll) == 1, "%d are registered", registered(epoll));
	have(served, "c");
	expect(tcp_connect(tcp_socket(0), &served->address) == ECONNREFUSED,
	       "the port is kept, closed by its program");
	expect(registered(epoll) == 0, "%d are registered afterwards", registered(epoll));
	return it_holds();
}
