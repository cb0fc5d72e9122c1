/* filter.c: the kernel demands no_new_privs of an ordinary user for a filter, with EACCES, and not
 * of root. */

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/watch.h"

int main(void)
{
	believe("a filter without no_new_privs is EACCES for an ordinary user");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
		skip("no_new_privs is set already");
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &code};
	int error = error_of(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
	expect(error == (geteuid() == 0 ? 0 : EACCES), "without it: %s", strerror(error));
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	error = error_of(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
	expect(error == 0, "with it: %s", strerror(error));
	return it_holds();
}
