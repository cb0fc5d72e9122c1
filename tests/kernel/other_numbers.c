/* filter.c: what a 64-bit program calls by int 0x80 reaches the filter as i386's call; an x32
 * number as x86-64's with bit 30, also where the kernel has no x32. */

#include <errno.h>
#include <linux/audit.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/net.h"
#include "tests/kernel/watch.h"

#define I386_GETPPID 64
#define X32_BIT      0x40000000

#if defined(__x86_64__)
static long call_i386(long number)
{
	long result;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

struct program {
	int listener[2];
	long x32, i386;
};

static int begin(void *arg)
{
	struct program *program = arg;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, X32_BIT | SYS_getppid, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, I386_GETPPID, 0, 1),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(*code), code};
	int fd = install(&prog, 0);
	expect(fd >= 0, "no filter: %s", strerror(-fd));
	send_fd(program->listener[1], fd);
	close(fd);
	close(program->listener[1]);
	program->x32 = error_of(syscall(X32_BIT | SYS_getppid));
	program->i386 = call_i386(I386_GETPPID);
	return 0;
}

int main(void)
{
	believe("i386 and x32 calls of a 64-bit program reach its filter as such");
	struct program *program = shared(sizeof(*program));
	expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, program->listener) == 0,
	       "socketpair: %s", strerror(errno));
	pid_t pid = start(begin, program);
	close(program->listener[1]);
	int notify = receive_fd(program->listener[0]);
	struct seccomp_notif notif = take(notify);
	expect(notif.data.nr == (X32_BIT | SYS_getppid) && notif.data.arch == AUDIT_ARCH_X86_64,
	       "x32: number 0x%x of architecture 0x%x", (unsigned)notif.data.nr, notif.data.arch);
	give(notify, notif.id, 0, ENOSYS);
	if (wait_for(notify, POLLIN) & POLLHUP)
		skip("this kernel runs no i386 calls: the program ended with %d", ended(pid));
	notif = take(notify);
	expect(notif.data.nr == I386_GETPPID && notif.data.arch == AUDIT_ARCH_I386,
	       "int 0x80: number %d of architecture 0x%x", notif.data.nr, notif.data.arch);
	give(notify, notif.id, 4711, 0);
	expect(ended(pid) == 0, "the program failed");
	expect(program->x32 == ENOSYS && program->i386 == 4711, "the calls gave %ld and %ld",
	       program->x32, program->i386);
	return it_holds();
}
#else
int main(void)
{
	believe("i386 and x32 calls of a 64-bit program reach its filter as such");
	skip("this is no x86-64 machine");
}
#endif
