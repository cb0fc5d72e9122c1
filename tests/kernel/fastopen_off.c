/* socket.c: where net.ipv4.tcp_fastopen lacks bit 1, sendto() with MSG_FASTOPEN is EOPNOTSUPP and
 * has not touched the socket. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

int main(void)
{
	believe("with tcp_fastopen off, MSG_FASTOPEN is EOPNOTSUPP");
	struct sockaddr_in address;
	own_network();
	int setting = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY | O_CLOEXEC);
	if (setting < 0 || write(setting, "0", 1) < 0)
		skip("tcp_fastopen cannot be set: %s", strerror(errno));
	tcp_listener(&address);
	int fd = tcp_socket(0), error = tcp_connect_by_send(fd, &address);
	expect(error == EOPNOTSUPP, "sendto: %s", strerror(error));
	expect(tcp_state(fd) == TCP_CLOSE, "the socket's state is %d", tcp_state(fd));
	error = tcp_connect(fd, &address);
	expect(error == 0, "connect after it: %s", strerror(error));
	return it_holds();
}
