/* filter.c: io_uring connects past a filter that sees connect(); so io_uring_setup() is refused
 * with ENOSYS, which the filter can do. */

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/kernel/net.h"
#include "tests/kernel/watch.h"

struct ring {
	int fd;
	struct io_uring_params params;
	char *room; /* both rings */
	struct io_uring_sqe *entries;
};

static void *map(const struct ring *ring, size_t size, off_t what)
{
	void *room =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, what);
	expect(room != MAP_FAILED, "mmap of a ring: %s", strerror(errno));
	return room;
}

/* 0 or an errno. */
static int make_ring(struct ring *ring)
{
	ring->fd = (int)syscall(SYS_io_uring_setup, 1, &ring->params);
	if (ring->fd < 0)
		return errno;
	if (!(ring->params.features & IORING_FEAT_SINGLE_MMAP))
		skip("io_uring is older than 5.4 here");
	const struct io_cqring_offsets *cq = &ring->params.cq_off;
	const struct io_sqring_offsets *sq = &ring->params.sq_off;
	size_t size = sq->array + ring->params.sq_entries * sizeof(uint32_t);
	size_t other = cq->cqes + ring->params.cq_entries * sizeof(struct io_uring_cqe);
	ring->room = map(ring, size > other ? size : other, IORING_OFF_SQ_RING);
	ring->entries = map(ring, sizeof(*ring->entries), IORING_OFF_SQES);
	return 0;
}

/* connect() by the ring: 0 or an errno. */
static int ring_connect(struct ring *ring, int fd, const struct sockaddr_in *to)
{
	*ring->entries = (struct io_uring_sqe){.opcode = IORING_OP_CONNECT,
					       .fd = fd,
					       .addr = (uint64_t)(uintptr_t)to,
					       .off = sizeof(*to)};
	*(uint32_t *)(void *)(ring->room + ring->params.sq_off.tail) = 1;
	long count = syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	expect(count == 1, "io_uring_enter: %s", strerror(errno));
	const struct io_uring_cqe *done = (const void *)(ring->room + ring->params.cq_off.cqes);
	return -done->res;
}

static int body(void *arg)
{
	struct ring ring = {0};
	int error = make_ring(&ring);
	return error ? error : ring_connect(&ring, tcp_socket(0), arg);
}

static int refused(void *arg)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
	struct ring ring = {0};
	(void)arg;
	int fd = install(&program, 0);
	expect(fd >= 0, "no filter: %s", strerror(-fd));
	return make_ring(&ring);
}

int main(void)
{
	believe("io_uring connects unseen, and io_uring_setup can be refused");
	struct sockaddr_in address;
	struct ring ring = {0};
	tcp_listener(&address);
	int error = ended(start(refused, NULL));
	expect(error == ENOSYS, "io_uring_setup under the filter: %s", strerror(error));
	error = make_ring(&ring);
	if (error)
		skip("no io_uring for this user: %s", strerror(error));
	error = ended(watch(SYS_connect, body, &address).pid);
	expect(error == 0, "connect by io_uring: %s", strerror(error));
	return it_holds();
}
