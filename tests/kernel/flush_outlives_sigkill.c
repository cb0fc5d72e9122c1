/* keeper.h: close() of a FUSE file's descriptor waits for the answer to FLUSH, any duplicate's, and
 * no signal ends that. */

#include <unistd.h>

#include "tests/kernel/fuse.h"
#include "tests/kernel/kernel.h"

static int closes(void *fd)
{
	return close(dup(*(int *)fd));
}

int main(void)
{
	fuse_serve(UNANSWERED_FLUSH, false);
	believe("close() of a duplicate of a FUSE file waits, against SIGKILL too");
	int fd = fuse_open();
	pid_t pid = start_unkillable("close", closes, &fd);
	fuse_end();
	expect(ended(pid) < 0, "it was not killed");
	return it_holds();
}
