#include "supervisor/kernel/confine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/older.h"
#include "supervisor/kernel/arch.h"
#include "supervisor/kernel/notify.h"

/* Whatever their arguments are. */
static const int plain[] = {
	/* descriptors that are there */
	SYS_read, SYS_write, SYS_writev, SYS_close, SYS_fcntl, SYS_fstat, SYS_lseek, SYS_getdents64,
	SYS_readlinkat, SYS_dup3, SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll,
#ifdef SYS_epoll_wait
	SYS_epoll_wait, SYS_poll,
#endif
	/* sockets */
	SYS_connect, SYS_bind, SYS_accept, SYS_accept4, SYS_shutdown, SYS_getsockname,
	SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_sendto, SYS_recvfrom, SYS_sendmsg,
	SYS_recvmsg,
	/* programs */
	SYS_pidfd_open, SYS_pidfd_getfd, SYS_process_vm_readv,
	/* itself */
	SYS_brk, SYS_munmap, SYS_madvise, SYS_futex, SYS_getrandom, SYS_clock_gettime,
	SYS_clock_nanosleep, SYS_nanosleep, SYS_sched_yield, SYS_getpid, SYS_getppid, SYS_gettid,
	SYS_geteuid, SYS_getuid, SYS_setitimer, SYS_timer_settime, SYS_timerfd_settime,
	SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_restart_syscall, SYS_exit, SYS_exit_group};

/* Only where this argument is one of these, or … */
struct by_argument {
	int call;
	uint8_t argument;
	bool without;       /* … where it has none of these bits */
	uint32_t values[8]; /* up to the first 0 */
};

#define OWN_PID  UINT32_MAX /* stands for it */
#define MOST     512        /* instructions */
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(at))
#define RET(k)   BPF_STMT(BPF_RET | BPF_K, k)

static const struct by_argument by_argument[] = {
	/* first what is called most */
	{SYS_ioctl,
	 1,
	 false,
	 {SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_IOCTL_NOTIF_ID_VALID,
	  SECCOMP_IOCTL_NOTIF_ADDFD, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SIOCOUTQ, SIOCINQ}},
	{SYS_socket, 0, false, {AF_INET, AF_INET6, AF_NETLINK}}, /* the last for getifaddrs(3) */
	{SYS_mmap, 2, true, {PROT_EXEC}},
	{SYS_mremap, 3, true, {~(uint32_t)MREMAP_MAYMOVE}},
	{SYS_prctl, 0, false, {PR_GET_NAME}},
	{SYS_kill, 0, false, {OWN_PID}},
	{SYS_tgkill, 0, false, {OWN_PID}},
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

struct code {
	struct sock_filter all[MOST];
	unsigned short len;
};

static void add(struct code *code, struct sock_filter instruction)
{
	assert(code->len < MOST);
	code->all[code->len++] = instruction;
}

static void add_jump(struct code *code, unsigned op, uint32_t value, unsigned yes, unsigned no)
{
	struct sock_filter jump = BPF_JUMP(BPF_JMP | op | BPF_K, value, (uint8_t)yes, (uint8_t)no);
	add(code, jump);
}

static void add_return(struct code *code, uint32_t value)
{
	struct sock_filter instruction = RET(value);
	add(code, instruction);
}

static void add_load(struct code *code, size_t offset)
{
	struct sock_filter instruction = LOAD(offset);
	add(code, instruction);
}

static void add_by_argument(struct code *code, const struct by_argument *rule)
{
	unsigned count = 0;
	while (count < COUNT(rule->values) && rule->values[count])
		count++;
	add_jump(code, BPF_JEQ, (uint32_t)rule->call, 0, 2 + 2 * count);
	/* its low half: all of these are ints to the kernel */
	add_load(code, offsetof(struct seccomp_data, args) + 8u * rule->argument);
	for (unsigned i = 0; i < count; i++) {
		uint32_t value = rule->values[i] == OWN_PID ? (uint32_t)getpid() : rule->values[i];
		if (rule->without)
			add_jump(code, BPF_JSET, value, 1, 0);
		else
			add_jump(code, BPF_JEQ, value, 0, 1);
		add_return(code, SECCOMP_RET_ALLOW);
	}
	add_return(code, SECCOMP_RET_TRAP);
}

static void make(struct code *code)
{
	add_load(code, offsetof(struct seccomp_data, arch));
	add_jump(code, BPF_JEQ, NATIVE_AUDIT_ARCH, 1, 0);
	add_return(code, SECCOMP_RET_KILL_PROCESS);
	add_load(code, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < COUNT(by_argument); i++)
		add_by_argument(code, &by_argument[i]);
	for (size_t i = 0; i < COUNT(plain); i++) {
		add_jump(code, BPF_JEQ, (uint32_t)plain[i], 0, 1);
		add_return(code, SECCOMP_RET_ALLOW);
	}
	add_return(code, SECCOMP_RET_TRAP);
}

/* --- what happens to a call that is not in the list --- */

static struct state *told;

/* The handler stands for one signal: the second one, of a call that is forbidden too, ends us. */
static void forbidden(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	told->forbidden_call = info->si_syscall;
	syscall(SYS_execve, NULL, NULL, NULL);
	_exit(1);
}

static int catch_forbidden(struct state *state)
{
	struct sigaction action = {.sa_sigaction = forbidden,
				   .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER};
	sigset_t set;
	told = state;
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	if (sigaction(SIGSYS, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) < 0)
		return -errno;
	return 0;
}

int confine(struct state *state)
{
#ifdef __SANITIZE_ADDRESS__
	return 0; /* its runtime reads files to tell what it has found */
#endif
	struct code code = {.len = 0};
	make(&code);
	struct sock_fprog whole = {code.len, code.all};
	int err = catch_forbidden(state);
	if (err < 0)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &whole) <
		    0)
		return -errno;
	return 0;
}
