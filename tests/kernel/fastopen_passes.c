/* filter.c: sendto() with MSG_FASTOPEN connects past a filter that sees connect(). */

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "tests/kernel/net.h"
#include "tests/kernel/watch.h"

static int body(void *arg)
{
	return tcp_connect_by_send(tcp_socket(0), arg);
}

int main(void)
{
	believe("sendto(MSG_FASTOPEN) connects unseen by a filter for connect()");
	if (!(number_in("/proc/sys/net/ipv4/tcp_fastopen") & 1))
		skip("net.ipv4.tcp_fastopen lacks bit 1 here");
	struct sockaddr_in address;
	int listener = tcp_listener(&address);
	struct watched w = watch(SYS_connect, body, &address);
	tcp_accept(listener);
	int error = ended(w.pid);
	expect(error == 0 || error == EINPROGRESS, "sendto: %s", strerror(error));
	return it_holds();
}
