#include <sys/resource.h>

#include "cli/command.h"
#include "cli/file.h"

int main(int argc, char **argv)
{
	/* Secrets and tokens pass through this memory: no core file of it. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){0});
	file_reserve_standard();
	return command_main(&command_root, argc, argv);
}
