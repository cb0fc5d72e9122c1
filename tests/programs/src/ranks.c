/*
 * ranks HOST PORT: a program of MPI. Each rank sends its number through a connection of its own and
 * has it sent back, while all the others have theirs; the first one prints how many did, of how
 * many. Built by the tests, with mpicc.
 */

#include <mpi.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_connection(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	int rc = getaddrinfo(host, port, &hints, &list);
	if (rc) {
		fprintf(stderr, "ranks: %s: %s\n", host, gai_strerror(rc));
		return -1;
	}
	int fd = socket(list->ai_family, SOCK_STREAM, 0);
	if (connect(fd, list->ai_addr, list->ai_addrlen) < 0) {
		perror("ranks: connect");
		close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	return fd;
}

static int is_answered(int fd, int rank)
{
	char text[32], back[32] = "";
	int len = snprintf(text, sizeof(text), "rank-%d", rank);
	return fd >= 0 && write(fd, text, (size_t)len) == len && shutdown(fd, SHUT_WR) == 0 &&
	       recv(fd, back, sizeof(back) - 1, MSG_WAITALL) == len && strcmp(text, back) == 0;
}

/* Without MPI's busy loop: there are fewer processors than ranks. */
static void finish(MPI_Request request)
{
	for (int done = 0; !done; usleep(5000))
		MPI_Test(&request, &done, MPI_STATUS_IGNORE);
}

int main(int argc, char **argv)
{
	int rank, size, good, all = 0;
	MPI_Request request;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	int fd = argc == 3 ? open_connection(argv[1], argv[2]) : -1;
	MPI_Ibarrier(MPI_COMM_WORLD, &request);
	finish(request);
	good = is_answered(fd, rank);
	MPI_Ireduce(&good, &all, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD, &request);
	finish(request);
	if (rank == 0)
		printf("%d of %d\n", all, size);
	MPI_Finalize();
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
