/*
 * bench-held HELD COUNT [epoll|receive] [sync]: the kernel's own share. A supervisor that does
 * nothing but receive and let pass, HELD calls that it does not answer, and one caller: prints how
 * long each of COUNT notified calls took, in nanoseconds. The supervisor waits in epoll_wait(2), as
 * the real one does, or in the receiving ioctl itself. sync: with
 * SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (Linux 6.6).
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#endif

#define NOTIFIED  SYS_getpriority /* with which as we like: the kernel refuses what it knows not */
#define HOLD      1000
#define PASS      1001
#define HELD_MAX  10000
#define COUNT_MAX 100000

static _Atomic int listener = -1;
static _Atomic long held;
static long held_wanted, count;
static uint64_t took[COUNT_MAX];

static void install(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NOTIFIED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (fd < 0)
		bench_die("no filter");
	listener = fd;
}

/* A thread of its own has the filter: the supervisor must not. */
static void *call_all(void *unused)
{
	static pid_t children[HELD_MAX];
	(void)unused;
	install();
	for (long i = 0; i < held_wanted; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			syscall(NOTIFIED, HOLD, 0);
			_exit(0);
		}
	}
	while (held < held_wanted)
		usleep(1000);
	for (long i = 0; i < count; i++) {
		uint64_t began = bench_now();
		errno = 0;
		if (syscall(NOTIFIED, PASS, 0) >= 0 || errno != EINVAL)
			bench_die("the call was not handed on");
		took[i] = bench_now() - began;
	}
	for (long i = 0; i < count; i++)
		printf("%llu ", (unsigned long long)took[i]);
	putchar('\n');
	fflush(stdout);
	for (long i = 0; i < held_wanted; i++)
		kill(children[i], SIGKILL);
	exit(0);
}

_Noreturn static void supervise(bool with_epoll)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
		bench_die("epoll");
	for (;;) {
		struct seccomp_notif call = {0};
		if (with_epoll && epoll_wait(epoll, &event, 1, -1) < 0)
			continue;
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			continue;
		if (call.data.args[0] == HOLD) {
			held++;
			continue;
		}
		struct seccomp_notif_resp answer = {.id = call.id,
						    .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

int main(int argc, char **argv)
{
	pthread_t caller;
	bool sync = argc > 3 && strcmp(argv[argc - 1], "sync") == 0;
	bool with_epoll = argc < 4 || strcmp(argv[3], "receive") != 0;
	if (argc < 3 || argc > 5) {
		fprintf(stderr, "Usage: bench-held HELD COUNT [epoll|receive] [sync]\n");
		return 2;
	}
	held_wanted = bench_number(argv[1], 0, HELD_MAX);
	count = bench_number(argv[2], 1, COUNT_MAX);
	if (pthread_create(&caller, NULL, call_all, NULL) != 0)
		bench_die("no thread");
	while (listener < 0)
		usleep(100);
	if (sync &&
	    ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) < 0)
		bench_die("no SYNC_WAKE_UP");
	supervise(with_epoll);
}
