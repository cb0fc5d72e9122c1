#include "supervisor/kernel/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/control.h"
#include "protocol/older.h"
#include "supervisor/base/fd.h"
#include "supervisor/kernel/arch.h"

static void rule(scmp_filter_ctx ctx, int *err, uint32_t action, int call, unsigned count,
		 const struct scmp_arg_cmp *args)
{
	if (*err == 0)
		*err = seccomp_rule_add_array(ctx, action, call, count, args);
}

static void sees(scmp_filter_ctx ctx, int *err, int call)
{
	rule(ctx, err, SCMP_ACT_NOTIFY, call, 0, NULL);
}

/* MSG_FASTOPEN would connect unseen; programs that are told that it is not there fall back. */
static void no_fastopen(scmp_filter_ctx ctx, int *err, int call, unsigned flags_argument)
{
	struct scmp_arg_cmp fastopen = {.arg = flags_argument,
					.op = SCMP_CMP_MASKED_EQ,
					.datum_a = MSG_FASTOPEN,
					.datum_b = MSG_FASTOPEN};
	rule(ctx, err, SCMP_ACT_ERRNO(EOPNOTSUPP), call, 1, &fastopen);
}

/* Connects to an internet address, by its length (blind.c); local sockets' are hardly ever as long.
 */
static void sees_connects(scmp_filter_ctx ctx, int *err)
{
	static const uint32_t lens[] = {sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6),
					offsetof(struct sockaddr_in6, sin6_scope_id),
					sizeof(struct sockaddr_storage)};
	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		const struct scmp_arg_cmp len = SCMP_A2_32(SCMP_CMP_EQ, lens[i]);
		rule(ctx, err, SCMP_ACT_NOTIFY, SCMP_SYS(connect), 1, &len);
	}
}

/* Which of a REUSEPORT group gets a connection. */
static void sees_steering(scmp_filter_ctx ctx, int *err, int option)
{
	const struct scmp_arg_cmp steers[] = {SCMP_A1_32(SCMP_CMP_EQ, SOL_SOCKET),
					      SCMP_A2_32(SCMP_CMP_EQ, (uint32_t)option)};
	rule(ctx, err, SCMP_ACT_NOTIFY, SCMP_SYS(setsockopt), 2, steers);
}

static void rules(scmp_filter_ctx ctx, int *err, const struct filter_wants *wants)
{
	if (wants->initiates) {
		const struct scmp_arg_cmp so_error[] = {SCMP_A1_32(SCMP_CMP_EQ, SOL_SOCKET),
							SCMP_A2_32(SCMP_CMP_EQ, SO_ERROR)};
		sees(ctx, err, SCMP_SYS(connect));
		rule(ctx, err, SCMP_ACT_NOTIFY, SCMP_SYS(getsockopt), 2, so_error);
		const struct scmp_arg_cmp to_internet[] = {
			SCMP_A4_64(SCMP_CMP_NE, 0),
			SCMP_A5_32(SCMP_CMP_GE, sizeof(struct sockaddr_in))};
		rule(ctx, err, SCMP_ACT_NOTIFY, SCMP_SYS(sendto), 2, to_internet);
		sees(ctx, err, SCMP_SYS(landlock_restrict_self));
		no_fastopen(ctx, err, SCMP_SYS(sendto), 3);
		no_fastopen(ctx, err, SCMP_SYS(sendmsg), 2);
		no_fastopen(ctx, err, SCMP_SYS(sendmmsg), 3);
	}
	if (wants->listens) {
		sees(ctx, err, SCMP_SYS(bind));
		sees(ctx, err, SCMP_SYS(listen));
		sees(ctx, err, SCMP_SYS(accept));
		sees(ctx, err, SCMP_SYS(accept4));
		if (!wants->initiates)
			sees_connects(ctx, err);
		sees_steering(ctx, err, SO_ATTACH_REUSEPORT_CBPF);
		sees_steering(ctx, err, SO_ATTACH_REUSEPORT_EBPF);
		sees_steering(ctx, err, SO_INCOMING_CPU);
	}
	if (wants->allow_io_uring)
		return;
	/* rings may be inherited */
	rule(ctx, err, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0, NULL);
	rule(ctx, err, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_enter), 0, NULL);
	rule(ctx, err, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_register), 0, NULL);
}

static void sees_socketcall(scmp_filter_ctx ctx, int *err, unsigned which)
{
	struct scmp_arg_cmp call = SCMP_A0_32(SCMP_CMP_EQ, which);
	if (*err == 0)
		*err = seccomp_rule_add_exact_array(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(socketcall), 1,
						    &call);
}

/* i386's other way to make the calls of rules(), whose arguments lie in memory: getsockopt is
 * seen whatever it asks for. */
static void socketcall_rules(scmp_filter_ctx ctx, int *err, const struct filter_wants *wants)
{
	if (wants->initiates) {
		sees_socketcall(ctx, err, SYS_CONNECT);
		sees_socketcall(ctx, err, SYS_GETSOCKOPT);
	}
	if (wants->listens) {
		sees_socketcall(ctx, err, SYS_BIND);
		sees_socketcall(ctx, err, SYS_LISTEN);
		sees_socketcall(ctx, err, SYS_ACCEPT);
		sees_socketcall(ctx, err, SYS_ACCEPT4);
		if (!wants->initiates)
			sees_socketcall(ctx, err, SYS_CONNECT);
	}
}

static scmp_filter_ctx make_context(uint32_t arch)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	if (!ctx)
		return NULL;
	/* what belongs to no known architecture: on x86-64 that is x32 */
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
	if (arch != seccomp_arch_native()) {
		seccomp_arch_remove(ctx, seccomp_arch_native());
		if (seccomp_arch_add(ctx, arch) < 0) {
			seccomp_release(ctx);
			return NULL;
		}
	}
	return ctx;
}

static int make_rules(const struct filter_wants *wants, scmp_filter_ctx *made)
{
	int err = 0;
	scmp_filter_ctx ctx = make_context(seccomp_arch_native());
	if (!ctx)
		return -ENOMEM;
	rules(ctx, &err, wants);
	scmp_filter_ctx compat = make_context(COMPAT_AUDIT_ARCH);
	if (!compat) {
		seccomp_release(ctx);
		return -ENOMEM;
	}
	rules(compat, &err, wants);
	if (COMPAT_AUDIT_ARCH == AUDIT_ARCH_I386)
		socketcall_rules(compat, &err, wants);
	if (err == 0)
		err = seccomp_merge(ctx, compat); /* takes it in */
	if (err < 0)
		seccomp_release(compat);
	if (err < 0)
		seccomp_release(ctx);
	else
		*made = ctx;
	return err;
}

/* --- opens of /etc/hosts by static programs --- */

#define LOAD(field)                                                                                \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field)                                                                           \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field) + 4)
#define JUMP(op, k, yes, no) BPF_JUMP(BPF_JMP | (op) | BPF_K, (uint32_t)(k), yes, no)

#ifndef SYS_open /* newer architectures have openat alone */
#define SYS_open SYS_openat
#endif

/*
 * Opens that the shim means for the supervisor, told by their descriptor; and opens for reading
 * that a static program makes itself: its text lies below 4 GiB unless it is position-independent,
 * and no shared libc does. Of 32-bit programs, static or not, all. Whatever else falls through to
 * libseccomp's program, which cannot ask for the instruction pointer and so cannot hold this rule.
 * Nor does it tell socketcall's sends, whose flags and addresses lie in memory, from those that
 * i386 has calls of their own for.
 */
enum {
	ARCH,
	IS_NATIVE,
	NUMBER,
	IS_OPENAT,
	IS_OPEN,
	IS_COMPAT,
	NUMBER_COMPAT,
	IS_OPENAT_COMPAT,
	IS_OPEN_COMPAT,
	IS_SOCKETCALL,
	WHICH,
	IS_SENDTO,
	IS_SENDMSG,
	IS_SENDMMSG,
	FLAGS_OF_OPEN,
	GO_ON,
	DIRECTORY,
	IS_QUESTION,
	FLAGS_OF_OPENAT,
	MODE,
	FOR_READING,
	ARCH_AGAIN,
	ANY_OF_COMPAT,
	TEXT,
	IS_LOW,
	SEE,
	LEAVE,
	OPENS /* instructions: libseccomp's begin here */
};
#define TO(there, here) ((there) - (here)-1)

static int with_opens(struct sock_fprog *prog, bool all_opens)
{
	const struct sock_filter opens[OPENS] = {
		[ARCH] = LOAD(arch),
		[IS_NATIVE] = JUMP(BPF_JEQ, NATIVE_AUDIT_ARCH, 0, TO(IS_COMPAT, IS_NATIVE)),
		[NUMBER] = LOAD(nr),
		[IS_OPENAT] = JUMP(BPF_JEQ, SYS_openat, TO(DIRECTORY, IS_OPENAT), 0),
		[IS_OPEN] = JUMP(BPF_JEQ, SYS_open, TO(FLAGS_OF_OPEN, IS_OPEN), TO(OPENS, IS_OPEN)),
		[IS_COMPAT] = JUMP(BPF_JEQ, COMPAT_AUDIT_ARCH, 0, TO(OPENS, IS_COMPAT)),
		[NUMBER_COMPAT] = LOAD(nr),
		[IS_OPENAT_COMPAT] =
			JUMP(BPF_JEQ, COMPAT_OPENAT, TO(DIRECTORY, IS_OPENAT_COMPAT), 0),
		[IS_OPEN_COMPAT] = JUMP(BPF_JEQ, COMPAT_OPEN, TO(FLAGS_OF_OPEN, IS_OPEN_COMPAT), 0),
		[IS_SOCKETCALL] = JUMP(BPF_JEQ, COMPAT_SOCKETCALL, 0, TO(OPENS, IS_SOCKETCALL)),
		[WHICH] = LOAD(args[0]),
		[IS_SENDTO] = JUMP(BPF_JEQ, SYS_SENDTO, TO(SEE, IS_SENDTO), 0),
		[IS_SENDMSG] = JUMP(BPF_JEQ, SYS_SENDMSG, TO(SEE, IS_SENDMSG), 0),
		[IS_SENDMMSG] =
			JUMP(BPF_JEQ, SYS_SENDMMSG, TO(SEE, IS_SENDMMSG), TO(OPENS, IS_SENDMMSG)),
		[FLAGS_OF_OPEN] = LOAD(args[1]),
		[GO_ON] = BPF_STMT(BPF_JMP | BPF_JA, TO(MODE, GO_ON)),
		[DIRECTORY] = LOAD(args[0]),
		[IS_QUESTION] = JUMP(BPF_JEQ, QUESTION_FD, TO(SEE, IS_QUESTION), 0),
		[FLAGS_OF_OPENAT] = LOAD(args[2]),
		[MODE] = BPF_STMT(BPF_ALU | BPF_AND | BPF_K, O_ACCMODE),
		/* nothing else is said of opens */
		[FOR_READING] = JUMP(BPF_JEQ, O_RDONLY, 0, TO(LEAVE, FOR_READING)),
		[ARCH_AGAIN] = LOAD(arch),
		[ANY_OF_COMPAT] = JUMP(BPF_JEQ, COMPAT_AUDIT_ARCH, TO(SEE, ANY_OF_COMPAT), 0),
		[TEXT] = LOAD_HIGH(instruction_pointer),
		/* anything is >= 0 */
		[IS_LOW] = JUMP(all_opens ? BPF_JGE : BPF_JEQ, 0, 0, TO(LEAVE, IS_LOW)),
		[SEE] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		[LEAVE] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_filter *both = calloc(OPENS + (size_t)prog->len, sizeof(*both));
	if (!both)
		return -ENOMEM;
	memcpy(both, opens, sizeof(opens));
	memcpy(both + OPENS, prog->filter, prog->len * sizeof(*both));
	free(prog->filter);
	prog->filter = both;
	prog->len = (unsigned short)(prog->len + OPENS);
	return 0;
}

/* Through a pipe, which holds more than any program and knows no limit for files. */
static int export_program(scmp_filter_ctx ctx, struct sock_fprog *prog)
{
	int ends[2];
	const size_t most = BPF_MAXINSNS * sizeof(*prog->filter);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	cleanup_fd int in = ends[0], out = ends[1];
	int err = seccomp_export_bpf(ctx, out);
	close_fd(&out);
	if (err < 0)
		return err;
	prog->filter = malloc(most);
	if (!prog->filter)
		return -ENOMEM;
	ssize_t got = read(in, prog->filter, most);
	prog->len = (unsigned short)(got > 0 ? (size_t)got / sizeof(*prog->filter) : 0);
	return prog->len ? 0 : -EIO;
}

static int install(const struct sock_fprog *prog, bool *no_new_privs)
{
	const unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	*no_new_privs = false;
	int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, prog);
	if (fd >= 0 || errno != EACCES)
		return fd < 0 ? -errno : fd;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	*no_new_privs = true;
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, prog);
	return fd < 0 ? -errno : fd;
}

int filter_install(const struct filter_wants *wants, bool *no_new_privs)
{
	struct sock_fprog prog = {0};
	scmp_filter_ctx ctx = NULL;
	int err = make_rules(wants, &ctx);
	if (err < 0)
		return err;
	err = export_program(ctx, &prog);
	seccomp_release(ctx);
	if (err == 0 && wants->initiates)
		err = with_opens(&prog, wants->all_opens);
	if (err == 0)
		err = install(&prog, no_new_privs);
	free(prog.filter);
	return err;
}
