/* hand.h: process_vm_readv() of memory that a FUSE server does not fill in waits. SIGKILL does not
 * end that where the server has its reads asked for one by one. */

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/kernel/fuse.h"
#include "tests/kernel/kernel.h"

/* Its own memory, so that Yama has nothing to say. */
static int reads(void *page)
{
	char bytes[16];
	struct iovec here = {bytes, sizeof(bytes)}, there = {page, sizeof(bytes)};
	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) < 0;
}

int main(void)
{
	fuse_serve(UNANSWERED_READ, false);
	believe("process_vm_readv() of a FUSE file's memory waits, against SIGKILL too");
	pid_t pid = start_unkillable("process_vm_readv", reads, fuse_page());
	fuse_end();
	expect(ended(pid) < 0, "it was not killed");
	return it_holds();
}
