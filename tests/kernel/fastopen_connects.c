/* socket.c: sendto() with no data, MSG_FASTOPEN and MSG_DONTWAIT connects a blocking socket without
 * blocking: EINPROGRESS, EALREADY until TCP is up, then 0. An error is told once, as by connect().
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "protocol/older.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static void step(int fd, const struct sockaddr_in *to, int wanted, const char *when)
{
	int error = tcp_connect_by_send(fd, to);
	expect(error == wanted, "%s: %s, not %s", when, strerrorname_np(error),
	       strerrorname_np(wanted));
}

int main(void)
{
	believe("sendto(MSG_FASTOPEN | MSG_DONTWAIT) of nothing connects without blocking");
	if (!(number_in("/proc/sys/net/ipv4/tcp_fastopen") & 1))
		skip("net.ipv4.tcp_fastopen lacks bit 1 here");
	struct sockaddr_in address;
	int listener = full_listener(&address), fd = tcp_socket(0);
	step(fd, &address, EINPROGRESS, "the first");
	expect(tcp_state(fd) == TCP_SYN_SENT, "its state is %d", tcp_state(fd));
	step(fd, &address, EALREADY, "the second, in SYN_SENT");
	expect(!(fcntl(fd, F_GETFL) & O_NONBLOCK), "the socket has become non-blocking");
	close(tcp_accept(listener)); /* makes room */
	expect(wait_for(fd, POLLOUT) == POLLOUT, "TCP does not come up");
	step(fd, &address, 0, "after TCP is up");
	step(fd, &address, EISCONN, "once more");
	expect(recv(tcp_accept(listener), &(char){0}, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN,
	       "something was sent");

	close(listener);
	fd = tcp_socket(0);
	step(fd, &address, EINPROGRESS, "where nobody listens");
	wait_for(fd, POLLOUT);
	step(fd, &address, ECONNREFUSED, "after the refusal");
	expect(so_error(fd) == 0, "the error is still there");
	return it_holds();
}
