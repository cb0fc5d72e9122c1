#include <signal.h>
#include <sys/resource.h>

#include "cli/base/file.h"
#include "cli/command/command.h"

int main(int argc, char **argv)
{
	/* Secrets and tokens pass through this memory: no core file of it. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){0});
	file_reserve_standard();
	/* Who does not read to the end is told of, as a full disk is. */
	signal(SIGPIPE, SIG_IGN);
	return command_main(&command_root, argc, argv);
}
