#include "tests/kernel/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "protocol/older.h"

int install(const struct sock_fprog *program, unsigned flags)
{
	flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
	if (fd >= 0 || errno != EACCES)
		return fd < 0 ? -errno : fd;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* an ordinary user must */
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
	return fd < 0 ? -errno : fd;
}

int listen_to(int call, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
	return install(&program, flags);
}

union fd_message {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

void send_fd(int socket, int fd)
{
	char byte = 0;
	struct iovec iov = {&byte, 1};
	union fd_message control = {0};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	expect(sendmsg(socket, &message, 0) == 1, "sendmsg: %s", strerror(errno));
}

int receive_fd(int socket)
{
	char byte;
	int fd = -1;
	struct iovec iov = {&byte, 1};
	union fd_message control = {0};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};
	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
		_exit(1); /* the other side has said why */
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	expect(header && header->cmsg_type == SCM_RIGHTS, "no descriptor came");
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

struct beginning {
	int call, ends[2];
	body_function *body;
	void *arg;
};

static int begin(void *arg)
{
	struct beginning *beginning = arg;
	int fd = listen_to(beginning->call, 0);
	expect(fd >= 0, "no listener: %s", strerror(-fd));
	send_fd(beginning->ends[1], fd);
	close(fd);
	close(beginning->ends[0]);
	close(beginning->ends[1]);
	return beginning->body(beginning->arg);
}

struct watched watch(int call, body_function *body, void *arg)
{
	struct beginning beginning = {.call = call, .body = body, .arg = arg};
	expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, beginning.ends) == 0,
	       "socketpair: %s", strerror(errno));
	struct watched watched = {.pid = start(begin, &beginning)};
	close(beginning.ends[1]);
	watched.notify = receive_fd(beginning.ends[0]);
	close(beginning.ends[0]);
	return watched;
}

int receive(int notify, struct seccomp_notif *notif)
{
	memset(notif, 0, sizeof(*notif));
	return error_of(ioctl(notify, SECCOMP_IOCTL_NOTIF_RECV, notif));
}

struct seccomp_notif take(int notify)
{
	struct seccomp_notif notif;
	struct pollfd readable = {.fd = notify, .events = POLLIN};
	expect(poll(&readable, 1, -1) == 1 && readable.revents & POLLIN,
	       "the listener is not readable but 0x%x", (unsigned)readable.revents);
	int error = receive(notify, &notif);
	expect(error == 0, "receive: %s", strerror(error));
	return notif;
}

static int answer(int notify, struct seccomp_notif_resp resp)
{
	return error_of(ioctl(notify, SECCOMP_IOCTL_NOTIF_SEND, &resp));
}

int give(int notify, uint64_t id, int64_t value, int error)
{
	return answer(notify, (struct seccomp_notif_resp){id, value, -error, 0});
}

int pass(int notify, uint64_t id)
{
	return answer(notify,
		      (struct seccomp_notif_resp){id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE});
}

bool is_valid(int notify, uint64_t id)
{
	return ioctl(notify, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

int add_fd(int notify, uint64_t id, int fd, unsigned flags)
{
	struct seccomp_notif_addfd add = {.id = id, .srcfd = (uint32_t)fd, .flags = flags};
	int number = ioctl(notify, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	return number < 0 ? -errno : number;
}

int call_getppid(void *arg)
{
	long result = syscall(SYS_getppid);
	*(long *)arg = result < 0 ? -errno : result;
	return 0;
}

int duplicate(pid_t pid, int number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	expect(pidfd >= 0, "pidfd_open: %s", strerror(errno));
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	int error = errno;
	close(pidfd);
	return fd < 0 ? -error : fd;
}

int read_word(pid_t pid, const void *address, long *word)
{
	struct iovec here = {word, sizeof(*word)},
		     there = {(void *)(uintptr_t)address, sizeof(*word)};
	return error_of(process_vm_readv(pid, &here, 1, &there, 1, 0));
}
