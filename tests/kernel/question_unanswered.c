/* shim/ask.c: the shim's question is a connect() on a negative descriptor. Where nobody watches,
 * the kernel says EBADF, whatever the address is. */

#include <errno.h>
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
	believe("connect() on a negative descriptor is EBADF");
	struct question question = {.magic = QUESTION_MAGIC, .version = CONTROL_VERSION};
	ask(&question, sizeof(question), "a question");
	ask(&question, UINT16_MAX, "a length beyond any address");
	ask(NULL, sizeof(question), "no address");
	return it_holds();
}
