/* loop.h: what epoll watches is the open file. Closing the duplicate that was registered leaves the
 * registration in place while the file lives, and it cannot be taken back any more. */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

int main(void)
{
	believe("an epoll registration outlives the duplicate that it was made by");
	int connected, accepted, epoll = epoll_create1(EPOLL_CLOEXEC);
	tcp_pair(&connected, &accepted);
	int copy = dup(connected);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = copy}, got = {0};
	expect(epoll_ctl(epoll, EPOLL_CTL_ADD, copy, &event) == 0, "add: %s", strerror(errno));
	close(copy);
	expect(send(accepted, "x", 1, 0) == 1, "send: %s", strerror(errno));
	expect(epoll_wait(epoll, &got, 1, -1) == 1 && got.data.fd == copy, "no event");
	int error = error_of(epoll_ctl(epoll, EPOLL_CTL_DEL, copy, NULL));
	expect(error == EBADF, "delete by the closed number: %s", strerror(error));
	error = error_of(epoll_ctl(epoll, EPOLL_CTL_DEL, connected, NULL));
	expect(error == ENOENT, "delete by another number: %s", strerror(error));

	copy = dup(connected); /* the same number again */
	error = error_of(epoll_ctl(epoll, EPOLL_CTL_ADD, copy, &event));
	expect(error == EEXIST, "add under the same number: %s", strerror(error));
	error = error_of(epoll_ctl(epoll, EPOLL_CTL_MOD, copy, &event));
	expect(error == 0, "change under the same number: %s", strerror(error));
	close(connected);
	close(copy); /* the last */
	expect(epoll_wait(epoll, &got, 1, 0) == 0, "events of a file that is gone");
	return it_holds();
}
