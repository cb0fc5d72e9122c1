#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/base/file.h"
#include "cli/command/command.h"
#include "cli/doctor/doctor.h"

int main(int argc, char **argv)
{
	/* Secrets and tokens pass through this memory: no core dump. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){0});
	file_reserve_standard();
	if (argc > 1 && strcmp(argv[1], "__resolve") == 0)
		return doctor_print_addresses(argv + 2);
	/* A reader that closes stdout early is reported as an error, like a full disk. */
	signal(SIGPIPE, SIG_IGN);
	return command_main(&command_root, argc, argv);
}
