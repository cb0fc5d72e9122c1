#include "supervisor/tunnel/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/kernel/proc.h"
#include "supervisor/tunnel/names.h"

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 8U
#endif

#define HOSTS_MAX ((size_t)64 << 20) /* bytes of a file and our names */
#define SHIM_MAX  (16 << 20)         /* bytes */

/* Children at a time. The last ones are for those that have none yet. */
#define AT_ONCE          128
#define AT_ONCE_RESERVED 32
#define AT_ONCE_EACH     4 /* of one launch and user */

/* --- the supervisor's side --- */

static bool is_free(const struct copy *copy)
{
	return !copy->wanted && copy->stage == COPY_IDLE;
}

uint32_t copy_take(struct state *state, const struct call *call, enum copy_what what, int flags)
{
	uint32_t found = NONE, of_launch = 0;
	for (uint32_t i = 0; i < state->copy_top; i++) {
		const struct copy *copy = &state->copies[i];
		of_launch += copy->wanted && copy->program == call->program;
		if (found == NONE && is_free(copy))
			found = i;
	}
	if (of_launch >= MAX_COPIES_OF_LAUNCH)
		return NONE;
	if (found == NONE && state->copy_top == MAX_COPIES)
		return NONE;
	if (found == NONE)
		found = state->copy_top++;
	struct copy *copy = &state->copies[found];
	copy->calls = NONE;
	copy->program = call->program;
	copy->tid = (int)call->notif.pid;
	copy->flags = flags;
	copy->what = (uint8_t)what;
	copy->number = copy->fd = -1;
	copy->result = 0;
	copy->turn = state->copy_turns++;
	return found;
}

void copy_want(struct state *state, uint32_t copy)
{
	state->copies[copy].wanted = true;
	eventfd_write(state->keeper_wakes, 1);
}

void copy_leave(struct state *state, uint32_t copy)
{
	state->copies[copy].wanted = false;
	eventfd_write(state->keeper_wakes, 1);
}

/* --- the keeper's side: what stands in the state is not believed where it could do harm --- */

static uint32_t top_of(const struct state *state)
{
	uint32_t top = *(volatile const uint32_t *)&state->copy_top;
	return top < MAX_COPIES ? top : MAX_COPIES;
}

static bool is_child(pid_t pid)
{
	siginfo_t info;
	return pid > 0 &&
	       waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WCLONE) == 0;
}

/* As large as a file may be here. */
static size_t room(void)
{
	struct rlimit limit;
	size_t most = HOSTS_MAX;
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
	    limit.rlim_cur < most + sizeof(struct copy_note))
		most = limit.rlim_cur < 2 * sizeof(struct copy_note)
			       ? 0
			       : limit.rlim_cur / 8 * 8 - sizeof(struct copy_note);
	return most;
}

static int make_file(void)
{
	int fd = memfd_create("hosts", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0)
		fd = memfd_create("hosts", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

/* Those of our names that its program may have. */
static int write_names(const struct state *state, const struct copy *copy, int fd)
{
	uint32_t program = *(volatile const uint32_t *)&copy->program;
	if (program >= MAX_PROGRAMS)
		return -EINVAL;
	return names_write_hosts(state, &state->programs[program].reach, fd);
}

/* Our names first: the first line that has a name counts. */
static int map_file(const struct state *state, const struct copy *copy, int fd,
		    struct copy_area *area)
{
	area->most = room();
	int err = area->most ? write_names(state, copy, fd) : -EFBIG;
	off_t len = err < 0 ? err : lseek(fd, 0, SEEK_CUR);
	if (err < 0 || len < 0 || (size_t)len > area->most)
		return err < 0 ? err : -EFBIG;
	size_t size = area->most + sizeof(struct copy_note);
	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	area->len = (size_t)len;
	area->text = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area->text == MAP_FAILED)
		return -errno;
	area->note = (struct copy_note *)(void *)(area->text + area->most);
	area->note->result = -EIO; /* of a child that ends without a word */
	return 0;
}

/* Not among the children that are the command's, as the supervisor is not (keeper.c). The table is
 * shared until the child leaves it: see numbers.h. */
static pid_t fork_child(struct state *state, const struct copy *copy, struct copy_area *area)
{
	pid_t keeper = getpid();
	int tid = copy->tid, flags = copy->flags & COPY_FLAGS;
	madvise(state, sizeof(*state), MADV_DONTFORK); /* the secrets */
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | COPY_SIGNAL, NULL, NULL, NULL, 0);
	if (child == 0)
		copy_child(tid, flags, area, keeper);
	int err = child < 0 ? -errno : child;
	madvise(state, sizeof(*state), MADV_DOFORK);
	return err;
}

/* Opened again for reading, and nobody can change what is in it: 0 or -errno. */
static int seal(int *made, int seals, int flags)
{
	char path[64];
	if (fchmod(*made, 0444) < 0 ||
	    fcntl(*made, F_ADD_SEALS, seals | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -EIO;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *made);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | flags);
	if (fd < 0)
		return -errno;
	int writable = *made;
	*made = fd;
	close(writable);
	return 0;
}

static int open_shim(const struct copy *copy, const char *shim)
{
	char path[BASE_PATH_MAX + 2];
	size_t stem = strlen(shim);
	if (stem < 3)
		return -ENOENT;
	if (copy->what == COPY_SHIM32)
		snprintf(path, sizeof(path), "%.*s32.so", (int)stem - 3, shim);
	else
		snprintf(path, sizeof(path), "%s", shim);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Another root has no such file, and what has its name there is not asked for. The file itself
 * would be a way out: whoever may write to it could open it again, through /proc. */
static int copy_shim(const struct copy *copy, const char *shim)
{
	struct stat stat;
	cleanup_fd int from = open_shim(copy, shim), fd = from < 0 ? -EBADF : make_file();
	if (fd < 0 || fstat(from, &stat) < 0 || !S_ISREG(stat.st_mode) || stat.st_size > SHIM_MAX)
		return -ENOENT;
	for (off_t left = stat.st_size; left > 0;) {
		ssize_t sent = sendfile(fd, from, NULL, (size_t)left);
		if (sent <= 0)
			return -EIO;
		left -= sent;
	}
	int err = seal(&fd, F_SEAL_WRITE, 0);
	return err < 0 ? err : steal_fd(&fd);
}

static int start_child(struct state *state, struct copy *copy)
{
	struct copy_area area;
	cleanup_fd int fd = make_file();
	int err = fd < 0 ? fd : map_file(state, copy, fd, &area);
	if (err < 0)
		return err;
	pid_t child = fork_child(state, copy, &area);
	munmap(area.text, area.most + sizeof(struct copy_note));
	if (child < 0)
		return child;
	copy->pid = child;
	copy->fd = steal_fd(&fd);
	copy->stage = COPY_RUNNING;
	return 0;
}

/* What it has written, as a file that nobody can write to, opened as the program asked for. */
static int finish(struct copy *copy)
{
	struct stat stat;
	struct copy_note note;
	if (fstat(copy->fd, &stat) < 0 || stat.st_size < (off_t)sizeof(note))
		return -EIO;
	off_t most = stat.st_size - (off_t)sizeof(note);
	if (pread(copy->fd, &note, sizeof(note), most) != sizeof(note))
		return -EIO;
	if (note.result != 0)
		return note.result;
	if (note.len > (uint64_t)most || ftruncate(copy->fd, (off_t)note.len) < 0)
		return -EIO;
	/* who looks at the child in /proc may hold its mapping, so not F_SEAL_WRITE */
	return seal(&copy->fd, F_SEAL_FUTURE_WRITE, copy->flags & COPY_FLAGS & ~O_NOFOLLOW);
}

/* True: there is news for the supervisor. */
static bool look_after(struct copy *copy)
{
	bool ended = false;
	if (copy->stage == COPY_RUNNING) {
		if (!copy->wanted && is_child(copy->pid))
			kill(copy->pid, SIGKILL);
		if (copy->pid > 0 && waitpid(copy->pid, NULL, __WCLONE | WNOHANG) == 0)
			return false;
		copy->pid = 0;
		copy->result = copy->wanted ? finish(copy) : -ECANCELED;
		copy->stage = COPY_DONE;
		ended = true;
	}
	if (copy->stage == COPY_DONE && !copy->wanted) {
		close_fd(&copy->fd);
		copy->stage = COPY_IDLE;
	}
	return ended;
}

static void end(struct copy *copy, int fd, int result)
{
	copy->fd = fd;
	copy->result = result;
	copy->stage = COPY_DONE;
}

/* True: it is done already. */
static bool start(struct state *state, struct copy *copy, const char *shim)
{
	int err = 0;
	if (copy->what == COPY_HOSTS) {
		err = start_child(state, copy);
		if (err < 0)
			end(copy, -1, err);
	} else {
		int fd = copy_shim(copy, shim);
		end(copy, fd, fd < 0 ? COPY_PASS : 0);
	}
	return copy->stage == COPY_DONE;
}

/* --- whose turn it is --- */

static bool same_user(const struct copy *a, const struct copy *b)
{
	return a->program == b->program && a->uid == b->uid;
}

static bool are_too_many(const struct state *state, const struct copy *copy)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < top_of(state); i++)
		count += state->copies[i].stage != COPY_IDLE &&
			 state->copies[i].stage != COPY_DONE && same_user(&state->copies[i], copy);
	return count > MAX_COPIES_OF_USER;
}

/* The copy is the keeper's from the first store on, if it is wanted still. True: it was refused. */
static bool admit(const struct state *state, struct copy *copy)
{
	if (copy->stage == COPY_IDLE && copy->wanted) {
		copy->stage = COPY_WAITING;
		if (copy->wanted) {
			copy->uid = proc_uid(copy->tid);
			if (are_too_many(state, copy))
				end(copy, -1, -EAGAIN);
		}
	}
	if (copy->stage == COPY_WAITING && !copy->wanted)
		copy->stage = COPY_IDLE;
	return copy->stage == COPY_DONE;
}

struct running {
	const struct copy *of[AT_ONCE];
	uint32_t count;
};

static bool may_start(const struct running *running, const struct copy *copy)
{
	uint32_t each = running->count < AT_ONCE - AT_ONCE_RESERVED ? AT_ONCE_EACH : 1, own = 0;
	if (running->count == AT_ONCE)
		return false;
	for (uint32_t i = 0; i < running->count; i++)
		own += same_user(running->of[i], copy);
	return own < each;
}

/* The one that has waited longest, of those that may. */
static struct copy *next(struct state *state, const struct running *running)
{
	struct copy *found = NULL;
	for (uint32_t i = 0; i < top_of(state); i++) {
		struct copy *copy = &state->copies[i];
		if (copy->stage == COPY_WAITING && may_start(running, copy) &&
		    (!found || copy->turn < found->turn))
			found = copy;
	}
	return found;
}

void copy_run(struct state *state, const char *shim)
{
	struct running running = {.count = 0};
	bool news = false;
	for (uint32_t i = 0; i < top_of(state); i++) {
		struct copy *copy = &state->copies[i];
		news |= look_after(copy);
		if (copy->stage == COPY_IDLE || copy->stage == COPY_WAITING)
			news |= admit(state, copy);
		if (copy->stage == COPY_RUNNING && running.count < AT_ONCE)
			running.of[running.count++] = copy;
	}
	for (struct copy *copy; (copy = next(state, &running));) {
		if (start(state, copy, shim))
			news = true;
		else
			running.of[running.count++] = copy;
	}
	if (news)
		eventfd_write(state->supervisor_wakes, 1);
}

void copy_stop(struct state *state)
{
	for (uint32_t i = 0; i < top_of(state); i++)
		if (state->copies[i].stage == COPY_RUNNING && is_child(state->copies[i].pid))
			kill(state->copies[i].pid, SIGKILL);
}

void copy_begin_again(struct state *state)
{
	for (uint32_t i = 0; i < top_of(state); i++) {
		struct copy *copy = &state->copies[i];
		copy->pid = 0;
		copy->fd = -1;
		copy->stage = COPY_IDLE;
	}
}
