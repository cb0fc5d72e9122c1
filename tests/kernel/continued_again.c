/* A call that the kernel was told to run as it was made (CONTINUE) is notified again where SIGSTOP
 * and SIGCONT restart it: what is decided about it must come out the same a second time. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/net.h"
#include "tests/kernel/watch.h"

struct program {
	struct sockaddr_in address;
	int listener;
};

static int body(void *arg)
{
	struct program *program = arg;
	return accept(program->listener, NULL, NULL) < 0 ? errno : 0;
}

int main(void)
{
	believe("a CONTINUE'd call is notified again after SIGSTOP and SIGCONT");
	struct program *program = shared(sizeof(*program));
	program->listener = tcp_listener(&program->address);
	struct watched w = watch(SYS_accept, body, program);
	uint64_t id = take(w.notify).id;
	expect(pass(w.notify, id) == 0, "CONTINUE: %s", strerror(errno));
	kill(w.pid, SIGSTOP);
	wait_state(w.pid, 'T');
	kill(w.pid, SIGCONT);
	struct seccomp_notif notif = take(w.notify);
	expect(notif.id != id && notif.data.nr == SYS_accept, "another call came");
	expect(pass(w.notify, notif.id) == 0, "CONTINUE: %s", strerror(errno));
	expect(tcp_connect(tcp_socket(0), &program->address) == 0, "connect: %s", strerror(errno));
	int error = ended(w.pid);
	expect(error == 0, "accept: %s", strerror(error));
	return it_holds();
}
