#include "cli/run/run_elf.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/base/cleanup.h"

#define MAX_SEGMENTS 64

/* Open regular files only: a FIFO would block, and a device may do anything. */
static int open_file(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int open_command(const char *command)
{
	if (strchr(command, '/'))
		return open_file(command);
	const char *list = getenv("PATH");
	cleanup_free char *copy = strdup(list ? list : "/bin:/usr/bin");
	char *next = copy;
	for (char *dir; copy && (dir = strsep(&next, ":"));) {
		cleanup_free char *path = NULL;
		if (asprintf(&path, "%s/%s", *dir ? dir : ".", command) < 0)
			return -1;
		int fd = access(path, X_OK) == 0 ? open_file(path) : -1;
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* The note that Go's linker leaves: name size 4, "Go\0\0" after the three words. */
static bool is_go_note(int fd, const Elf64_Phdr *segment)
{
	struct {
		Elf64_Nhdr header;
		char name[4];
	} note;
	return pread(fd, &note, sizeof(note), (off_t)segment->p_offset) == sizeof(note) &&
	       note.header.n_namesz == sizeof(note.name) && memcmp(note.name, "Go\0", 4) == 0;
}

static bool reads_hosts(int fd, const Elf64_Ehdr *header)
{
	Elf64_Phdr segments[MAX_SEGMENTS];
	bool dynamic = false, go = false;
	size_t count = header->e_phnum < MAX_SEGMENTS ? header->e_phnum : MAX_SEGMENTS;
	ssize_t size = (ssize_t)(count * sizeof(*segments));
	if (header->e_phentsize != sizeof(*segments) ||
	    pread(fd, segments, (size_t)size, (off_t)header->e_phoff) != size)
		return false; /* not what we look for */
	for (size_t i = 0; i < count; i++) {
		dynamic |= segments[i].p_type == PT_INTERP;
		go |= segments[i].p_type == PT_NOTE && is_go_note(fd, &segments[i]);
	}
	return go || !dynamic;
}

bool run_elf_wants_opens(const char *command)
{
	Elf64_Ehdr header;
	cleanup_fd int fd = open_command(command);
	return fd >= 0 && pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
	       memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
	       header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_type == ET_DYN &&
	       reads_hosts(fd, &header);
}

bool run_elf_exists(const char *command)
{
	cleanup_fd int fd = open_command(command);
	return fd >= 0;
}
