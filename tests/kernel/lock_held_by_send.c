/* supervisor/README.md, socket.h: send() holds its socket's lock while it waits for the memory that
 * it sends. What needs the lock waits with it, and no signal ends that; some questions do not need
 * it.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/kernel/fuse.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static int locked;
static void *page;

static int sends(void *unused)
{
	(void)unused;
	return send(locked, page, 4096, MSG_NOSIGNAL) > 0;
}

static int asks_name(void *unused)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	(void)unused;
	return getsockname(locked, (struct sockaddr *)&name, &len);
}

static int asks_peer(void *unused)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	(void)unused;
	return getpeername(locked, (struct sockaddr *)&name, &len);
}

static int asks_tcp_info(void *unused)
{
	(void)unused;
	return tcp_state(locked);
}

static int sets(void *unused)
{
	int one = 1;
	(void)unused;
	return setsockopt(locked, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
}

static int connects(void *unused)
{
	struct sockaddr_in nobody = {.sin_family = AF_INET};
	(void)unused;
	return tcp_connect(locked, &nobody);
}

static int accepts(void *unused)
{
	(void)unused;
	return accept4(locked, NULL, NULL, SOCK_CLOEXEC);
}

static int reads(void *unused)
{
	char byte;
	(void)unused;
	return (int)recv(locked, &byte, 1, MSG_DONTWAIT);
}

/* Names came under the lock with Linux 5.16 (net/ipv4/af_inet.c, inet_getname). */
static const struct {
	const char *what;
	body_function *body;
	bool names;
} waiting[] = {{"getsockname", asks_name, true},
	       {"getpeername", asks_peer, true},
	       {"TCP_INFO", asks_tcp_info},
	       {"setsockopt", sets},
	       {"connect", connects},
	       {"accept4", accepts},
	       {"recv, MSG_DONTWAIT", reads}};

static bool waits(size_t i)
{
	return !waiting[i].names || kernel_since(5, 16);
}

/* What does not come back is the watchdog's. */
static void ask_without_the_lock(void)
{
	static const int options[] = {SO_ERROR,  SO_COOKIE, SO_ACCEPTCONN,
				      SO_LINGER, SO_DOMAIN, SO_PROTOCOL};
	char value[16];
	int count;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		socklen_t len = sizeof(value);
		expect(getsockopt(locked, SOL_SOCKET, options[i], value, &len) == 0,
		       "option %d: %s", options[i], strerror(errno));
	}
	expect(fcntl(locked, F_GETFL) >= 0 && ioctl(locked, SIOCOUTQ, &count) == 0,
	       "F_GETFL, SIOCOUTQ: %s", strerror(errno));
}

int main(void)
{
	pid_t pids[sizeof(waiting) / sizeof(*waiting)];
	int peer;
	fuse_serve(UNANSWERED_READ, false);
	believe("who sends from memory that does not come holds the socket's lock, against SIGKILL "
		"too");
	page = fuse_page();
	tcp_pair(&locked, &peer);
	pid_t sender = start(sends, NULL);
	wait_asleep(sender);
	ask_without_the_lock();
	for (size_t i = 0; i < sizeof(waiting) / sizeof(*waiting); i++)
		pids[i] = waits(i) ? start_unkillable(waiting[i].what, waiting[i].body, NULL) : 0;
	fuse_end();
	ended(sender);
	for (size_t i = 0; i < sizeof(waiting) / sizeof(*waiting); i++)
		expect(!waits(i) || ended(pids[i]) < 0, "%s was not killed", waiting[i].what);
	return it_holds();
}
