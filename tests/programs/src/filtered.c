/* filtered SOCKET WHAT COMMAND…: as a container runtime does, puts a filter on itself, sends its
 * listener descriptor to that socket (SOCK_SEQPACKET), waits for an answer, and becomes the
 * command. WHAT: "initiates", "listens" or "both". */

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/kernel/filter.h"
#include "supervisor/kernel/pass.h"

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
	int fd = filter_install(&wants, &no_new_privs);
	if (fd < 0 || pass_send(there, &byte, 1, fd) < 0)
		return 4;
	close(fd);
	if (read(there, &byte, 1) != 1)
		return 5;
	execvp(argv[3], argv + 3);
	return 6;
}
