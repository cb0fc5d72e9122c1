/* target.c, conn.c: a duplicate by pidfd_getfd is the same open file: flags and SO_COOKIE are the
 * same, and connect() on the one is connect() on the other. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/net.h"
#include "tests/kernel/watch.h"

struct talk {
	int number;
	int flags;
	char byte;
};

/* Make a socket, stop until it was worked on, and see what has become of it. */
static int body(void *arg)
{
	struct talk *talk = arg;
	talk->number = tcp_socket(0);
	raise(SIGSTOP);
	talk->flags = fcntl(talk->number, F_GETFL);
	fcntl(talk->number, F_SETFL, 0);
	return recv(talk->number, &talk->byte, 1, 0) == 1 ? 0 : errno;
}

static uint64_t cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	expect(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 && cookie, "SO_COOKIE: %s",
	       strerror(errno));
	return cookie;
}

int main(void)
{
	believe("a duplicate by pidfd_getfd is the same open file, and connects it");
	need_to_look_into_children();
	struct talk *talk = shared(sizeof(*talk));
	struct sockaddr_in address;
	int listener = tcp_listener(&address);
	pid_t pid = start(body, talk);
	wait_state(pid, 'T');

	int fd = duplicate(pid, talk->number), again = duplicate(pid, talk->number);
	expect(fd >= 0 && again >= 0, "pidfd_getfd: %s", strerror(-fd));
	expect(fcntl(fd, F_GETFD) & FD_CLOEXEC, "the duplicate is not close-on-exec");
	expect(cookie(fd) == cookie(again), "SO_COOKIE differs between duplicates");
	expect(cookie(fd) != cookie(listener), "SO_COOKIE is the same for two sockets");
	int error = tcp_connect(fd, &address);
	expect(error == 0, "connect on the duplicate: %s", strerror(error));
	expect(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "F_SETFL: %s", strerror(errno));
	close(fd);
	close(again);
	expect(send(tcp_accept(listener), "x", 1, 0) == 1, "send: %s", strerror(errno));

	kill(pid, SIGCONT);
	error = ended(pid);
	expect(error == 0 && talk->byte == 'x', "the process's own socket: %s", strerror(error));
	expect(talk->flags & O_NONBLOCK, "a flag set on the duplicate is not the process's");
	return it_holds();
}
