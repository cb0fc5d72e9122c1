/* shim/ask.c: the shim's question is an openat() with a negative descriptor, a launcher's a
 * connect() on it. Where nobody watches, the kernel says EBADF, whatever the address is; but it
 * opens a path that is absolute. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "protocol/control.h"
#include "tests/kernel/kernel.h"

static void ask(const void *address, socklen_t len, const char *what)
{
	int error = error_of(connect(QUESTION_FD, address, len));
	expect(error == EBADF, "with %s: %s", what, strerror(error));
}

int main(void)
{
	believe("connect() and openat() on a negative descriptor are EBADF");
	struct question question = {.magic = QUESTION_MAGIC, .version = CONTROL_VERSION};
	int error = error_of(openat(QUESTION_FD, (const char *)&question, O_RDONLY));
	expect(error == EBADF, "opening a question: %s", strerror(error));
	error = error_of(openat(QUESTION_FD, "/dev/null", O_RDONLY));
	expect(error == 0, "opening an absolute path: %s", strerror(error));
	ask(&question, sizeof(question), "a question");
	ask(&question, UINT16_MAX, "a length beyond any address");
	ask(NULL, sizeof(question), "no address");
	return it_holds();
}
