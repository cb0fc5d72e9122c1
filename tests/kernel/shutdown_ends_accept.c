/* accept.c: shutdown() of a listening socket ends accept() with EINVAL, also one that waits. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/net.h"

static int body(void *arg)
{
	return error_of(accept(*(int *)arg, NULL, NULL));
}

int main(void)
{
	believe("shutdown() of a listener ends accept() with EINVAL");
	struct sockaddr_in address;
	int listener = tcp_listener(&address);
	pid_t pid = start(body, &listener);
	wait_state(pid, 'S');
	shutdown(listener, SHUT_RDWR);
	int error = ended(pid);
	expect(error == EINVAL, "the accept() that waited: %s", strerror(error));
	error = body(&listener);
	expect(error == EINVAL, "another accept(): %s", strerror(error));
	return it_holds();
}
