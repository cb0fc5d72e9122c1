/* target.h: /proc/TID/mem, once open, is the memory of that program and of no other that takes its
 * number; but it writes where the program itself could not. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/kernel/kernel.h"

static char *page; /* nobody may write to it */

static int waits(void *unused)
{
	(void)unused;
	raise(SIGSTOP);
	execl("/proc/self/exe", "memory_file", "another", NULL);
	return 1;
}

int main(int argc, char **argv)
{
	char path[64], word[8] = "written", got[8] = "";
	if (argc > 1)
		return raise(SIGSTOP); /* the program that comes after */
	believe("/proc/TID/mem writes to read-only memory of one program, and to no other");
	need_to_look_into_children();
	(void)argv;
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = start(waits, NULL);
	wait_state(pid, 'T');
	struct iovec here = {word, sizeof(word)}, there = {page, sizeof(word)};
	int error = error_of(process_vm_writev(pid, &here, 1, &there, 1, 0));
	expect(error == EFAULT, "process_vm_writev() to read-only memory: %s", strerror(error));

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	expect(fd >= 0, "%s: %s", path, strerror(errno));
	ssize_t put = pwrite(fd, word, sizeof(word), (off_t)(uintptr_t)page);
	if (put < 0 && errno == EIO)
		seen("this kernel does not write to read-only memory (proc_mem.force_override)");
	else
		expect(put == sizeof(word) &&
			       pread(fd, got, sizeof(got), (off_t)(uintptr_t)page) == sizeof(got) &&
			       strcmp(got, word) == 0,
		       "the write: %zd: %s", put, strerror(errno));

	kill(pid, SIGCONT);
	do {
		wait_state(pid, 'T');
		put = pread(fd, got, sizeof(got), (off_t)(uintptr_t)page);
	} while (put > 0); /* it stands where it stood before */
	put = pwrite(fd, word, sizeof(word), (off_t)(uintptr_t)page);
	expect(put <= 0, "%zd bytes were written to another program", put);
	kill(pid, SIGKILL);
	return it_holds();
}
