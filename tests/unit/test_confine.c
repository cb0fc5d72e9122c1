/* What a confined supervisor may do, and what it is ended for. */

#include "protocol/older.h"
#include "supervisor/kernel/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/kernel/socket.h"
#include "tests/unit/suite.h"

struct made {
	const char *name;
	long number, args[6];
};

static struct state *state;

#define PATH (long)"/etc/passwd"

/* Each is made by a process of its own. */
static const struct made forbidden[] = {
#ifdef SYS_open
	{"open", SYS_open, {PATH, O_RDONLY}},
	{"unlink", SYS_unlink, {PATH}},
	{"fork", SYS_fork, {0}},
	{"stat", SYS_stat, {PATH}},
#endif
	{"openat", SYS_openat, {AT_FDCWD, PATH, O_RDONLY}},
	{"openat2", SYS_openat2, {AT_FDCWD, PATH, 0, 24}},
	{"unlinkat", SYS_unlinkat, {AT_FDCWD, PATH, 0}},
	{"execve", SYS_execve, {PATH}},
	{"execveat", SYS_execveat, {AT_FDCWD, PATH}},
	{"clone", SYS_clone, {SIGCHLD}},
	{"clone3", SYS_clone3, {0}},
	{"AF_UNIX", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
	{"AF_PACKET", SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
	{"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0}},
	{"listen", SYS_listen, {0, 1}},
	{"ptrace", SYS_ptrace, {PTRACE_SEIZE, 1}},
	{"kill", SYS_kill, {1, SIGCONT}},
	{"kill all", SYS_kill, {-1, SIGCONT}},
	{"pidfd_send_signal", SYS_pidfd_send_signal, {0, SIGCONT}},
	{"dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1}},
	{"code", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
	{"mprotect", SYS_mprotect, {0, 4096, PROT_EXEC}},
	{"TIOCSTI", SYS_ioctl, {0, TIOCSTI}},
	{"io_uring_setup", SYS_io_uring_setup, {1}},
	{"bpf", SYS_bpf, {0}},
	{"seccomp", SYS_seccomp, {0}},
	{"setuid", SYS_setuid, {0}},
	{"sigaction", SYS_rt_sigaction, {SIGSYS}},
	{"chroot", SYS_chroot, {PATH}},
	{"process_madvise", SYS_process_madvise, {0}},
};

static int make(const struct made *call)
{
	const long *a = call->args;
	pid_t pid = fork();
	int status;
	if (pid == 0) {
		if (confine(state) < 0)
			_exit(2);
		syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
		_exit(3);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(forbidden_calls_end_it)
{
	const struct made *call = &forbidden[_i];
	int status = make(call);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status 0x%x",
		      call->name, (unsigned)status);
	ck_assert_int_eq(state->forbidden_call, (int)call->number);
}
END_TEST

#if defined(__x86_64__)
/* Some kernels and virtual machines have no 32-bit calls: whoever tries dies of SIGSEGV. */
static bool has_other_calls(void)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		long result = 20; /* getpid */
		__asm__ volatile("int $0x80" : "+a"(result) : : "memory");
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status);
}

/* The same number means another call there. */
START_TEST(other_architectures_end_it)
{
	int status;
	if (!has_other_calls())
		return;
	pid_t pid = fork();
	if (pid == 0) {
		long result = 20; /* getpid */
		if (confine(state) < 0)
			_exit(2);
		__asm__ volatile("int $0x80" : "+a"(result) : : "memory");
		_exit(3);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
END_TEST
#endif

/* Whoever blocks or ignores the signal is ended all the same. */
START_TEST(no_way_around_the_signal)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t all;
		sigfillset(&all);
		if (confine(state) < 0)
			_exit(2);
		sigprocmask(SIG_BLOCK, &all, NULL);
		syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
		_exit(3);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
END_TEST

/* What it does all day long. Returns the number of the line that went wrong. */
#define need(condition)                                                                            \
	if (!(condition))                                                                          \
	return __LINE__ % 250 + 4
static int work(int listening, const union address *to)
{
	union address name = {.in = {.sin_family = AF_INET}};
	char *memory, text[16];
	need(confine(state) == 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(fd >= 0 && bind(fd, &name.sa, sizeof(name.in)) == 0);
	int err = socket_connect(fd, to);
	need(err == 0 || err == -EINPROGRESS);
	int taken = socket_accept(listening, &name); /* on this host it is up at once */
	need(taken >= 0 && send(fd, "word", 4, 0) == 4 && recv(taken, text, 4, 0) == 4);
	need(fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && socket_tcp_state(fd) != 0);
	memory = malloc(10 << 20);
	need(memory);
	memory[0] = memory[(10 << 20) - 1] = 'x';
	memory = realloc(memory, 20 << 20);
	need(memory && memory[0] == 'x');
	free(memory);
	need(kill(getpid(), 0) == 0 && prctl(PR_GET_NAME, text) == 0);
	need(syscall(SYS_ioctl, fd, FIONREAD, text) == 0);
	return 0;
}

START_TEST(what_it_does_works)
{
	int status;
	union address to = {.in = {.sin_family = AF_INET}};
	socklen_t len = sizeof(to);
	to.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int listening = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listening, &to.sa, sizeof(to.in)), 0);
	ck_assert_int_eq(listen(listening, 1), 0);
	ck_assert_int_eq(getsockname(listening, &to.sa, &len), 0);
	pid_t pid = fork();
	if (pid == 0) {
		socket_init();
		_exit(work(listening, &to));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "status 0x%x", (unsigned)status);
}
END_TEST

Suite *test_suite(void)
{
#ifdef __SANITIZE_ADDRESS__
	puts("1..0 # SKIP confine() does nothing under AddressSanitizer");
	exit(EXIT_SUCCESS);
#endif
	Suite *suite = suite_create("confine");
	TCase *tcase = tcase_create("confine");
	state = state_create();
	tcase_add_loop_test(tcase, forbidden_calls_end_it, 0, COUNT(forbidden));
#if defined(__x86_64__)
	tcase_add_test(tcase, other_architectures_end_it);
#endif
	tcase_add_test(tcase, no_way_around_the_signal);
	tcase_add_test(tcase, what_it_does_works);
	suite_add_tcase(suite, tcase);
	return suite;
}
