/* connect.c: while a program's connect() is held, the supervisor connects its socket; in SYN_SENT
 * that is not writable. Told EINPROGRESS, the program finds it as the kernel has it: SO_ERROR is 0,
 * a second connect() is EALREADY, and it becomes writable when TCP is up. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/net.h"
#include "tests/kernel/watch.h"

struct program {
	struct sockaddr_in address;
	int first, second, error, waits;
	short ready;
};

static int body(void *arg)
{
	struct program *program = arg;
	int fd = tcp_socket(SOCK_NONBLOCK);
	program->first = tcp_connect(fd, &program->address);
	program->second = tcp_connect(fd, &program->address);
	program->error = so_error(fd);
	program->waits = ready_for(fd) == 0;
	tcp_connect(fd, &program->address); /* a sign that it is ready to wait */
	program->ready = wait_for(fd, POLLOUT);
	return so_error(fd);
}

int main(void)
{
	believe("a program told EINPROGRESS waits for its socket as for any other");
	need_to_look_into_children();
	struct program *program = shared(sizeof(*program));
	int listener = full_listener(&program->address);
	struct watched w = watch(SYS_connect, body, program);
	struct seccomp_notif notif = take(w.notify);
	int fd = duplicate(w.pid, (int)notif.data.args[0]);
	expect(fd >= 0, "pidfd_getfd: %s", strerror(-fd));
	expect(ready_for(fd) == (POLLOUT | POLLHUP), "a fresh socket says 0x%x",
	       (unsigned)ready_for(fd));
	int error = tcp_connect(fd, &program->address);
	expect(error == EINPROGRESS, "connect on the duplicate: %s", strerror(error));
	expect(ready_for(fd) == 0, "in SYN_SENT it says 0x%x", (unsigned)ready_for(fd));
	close(fd);
	give(w.notify, notif.id, 0, EINPROGRESS);
	pass(w.notify, take(w.notify).id);
	pass(w.notify, take(w.notify).id);
	close(tcp_accept(listener)); /* makes room */

	error = ended(w.pid);
	expect(program->first == EINPROGRESS && program->second == EALREADY,
	       "the first connect: %s, the second: %d", strerror(program->first), program->second);
	expect(program->error == 0 && program->waits, "SO_ERROR is %d, ready: %d", program->error,
	       !program->waits);
	expect(program->ready == POLLOUT && error == 0, "then it says 0x%x, SO_ERROR is %d",
	       (unsigned)program->ready, error);
	return it_holds();
}
