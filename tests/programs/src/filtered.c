/* filtered SOCKET WHAT COMMAND…: as a container runtime does, puts a filter on itself, sends its
 * listener descriptor to that socket (SOCK_SEQPACKET), waits for an answer, and becomes the
 * command. WHAT: "initiates", "listens" or "both"; "strange": the filter sends a call that no
 * supervisor knows, getppid(). */

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/kernel/filter.h"
#include "supervisor/kernel/pass.h"

static int install_strange(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

int main(int argc, char **argv)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	bool no_new_privs;
	char byte = 0;
	if (argc < 4)
		return 2;
	const struct filter_wants wants = {.initiates = strcmp(argv[2], "listens") != 0,
					   .listens = strcmp(argv[2], "initiates") != 0,
					   .all_opens = true};
	int there = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", argv[1]);
	if (connect(there, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return 3;
	int fd = strcmp(argv[2], "strange") == 0 ? install_strange()
						 : filter_install(&wants, &no_new_privs);
	if (fd < 0 || pass_send(there, &byte, 1, fd) < 0)
		return 4;
	close(fd);
	if (read(there, &byte, 1) != 1)
		return 5;
	execvp(argv[3], argv + 3);
	return 6;
}
