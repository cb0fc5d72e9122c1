/* hand.h: process_vm_readv() of memory that a FUSE server does not fill in waits; SIGKILL ends that
 * where the server has asked for reads in the background. */

#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/kernel/fuse.h"
#include "tests/kernel/kernel.h"

static int reads(void *page)
{
	char bytes[16];
	struct iovec here = {bytes, sizeof(bytes)}, there = {page, sizeof(bytes)};
	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) < 0;
}

int main(void)
{
	fuse_serve(UNANSWERED_READ, true);
	believe("process_vm_readv() of a FUSE file's memory that is read in the background is "
		"ended "
		"by SIGKILL");
	pid_t pid = start(reads, fuse_page());
	wait_asleep(pid);
	kill(pid, SIGKILL);
	expect(ended(pid) == -SIGKILL, "it was not killed");
	fuse_end();
	return it_holds();
}
