/* socket.c, the handshake on the socket of a program that was told EINPROGRESS: under a large
 * SO_RCVLOWAT neither poll nor epoll says that it is readable, though bytes are there; the end of
 * the connection is told; and once the program's own value is back, all of them are woken. A recv()
 * of the program's own finds the bytes all the same. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

#define MUCH 16384

static int option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	getsockopt(fd, SOL_SOCKET, name, &value, &len);
	return value;
}

static void set_low_water(int fd, int value)
{
	expect(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)) == 0,
	       "SO_RCVLOWAT: %s", strerror(errno));
}

static int register_in_epoll(int fd, uint32_t flags)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | flags};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	return epoll;
}

static uint32_t told(int epoll)
{
	struct epoll_event event = {0};
	return epoll_wait(epoll, &event, 1, 0) == 1 ? event.events : 0;
}

static void let_arrive(int fd, int bytes)
{
	int there = 0;
	while (ioctl(fd, FIONREAD, &there) == 0 && there < bytes)
		;
}

int main(void)
{
	believe("under a large SO_RCVLOWAT bytes that have come wake nobody");
	int fd, peer;
	char data[64];
	tcp_pair(&fd, &peer);
	int level = register_in_epoll(fd, 0), edge = register_in_epoll(fd, EPOLLET);
	int room = option(fd, SO_RCVBUF);
	set_low_water(fd, MUCH);
	expect(option(fd, SO_RCVBUF) == room, "the buffer has grown from %d to %d", room,
	       option(fd, SO_RCVBUF));

	send(peer, "CHALLENGE", 9, 0);
	let_arrive(fd, 9);
	expect(!(ready_for(fd) & POLLIN) && !told(level) && !told(edge),
	       "poll 0x%x, epoll, or epoll by edges says that it is readable",
	       (unsigned)ready_for(fd));
	ssize_t got = recv(fd, data, 4, MSG_DONTWAIT);
	expect(got == 4, "recv() finds %zd of 4", got);

	set_low_water(fd, 1);
	expect(ready_for(fd) & POLLIN && told(level) & EPOLLIN && told(edge) & EPOLLIN,
	       "with the old value back, poll says 0x%x", (unsigned)ready_for(fd));
	recv(fd, data, sizeof(data), MSG_DONTWAIT);

	set_low_water(fd, MUCH);
	shutdown(peer, SHUT_WR);
	wait_for(fd, POLLRDHUP);
	expect(told(level) & EPOLLRDHUP && told(edge) & EPOLLRDHUP, "epoll does not tell the end");
	return it_holds();
}
