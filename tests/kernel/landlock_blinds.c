/* confine.h: who is confined by Landlock may look into no program that is confined less, be it its
 * child, and whatever Landlock was asked to forbid (landlock(7)). */

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/older.h"
#include "tests/kernel/watch.h"

#define MAKE_BLOCK (1ULL << 11) /* LANDLOCK_ACCESS_FS_MAKE_BLOCK */

static long secret;

static int be_looked_into(void *arg)
{
	(void)arg;
	secret = 4711;
	raise(SIGSTOP);
	return 0;
}

static void forbid_making_devices(void)
{
	/* the first member of linux/landlock.h's struct landlock_ruleset_attr */
	const uint64_t handled = MAKE_BLOCK;
	int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (rules < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		skip("this kernel has no Landlock");
	expect(rules >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		       syscall(SYS_landlock_restrict_self, rules, 0) == 0,
	       "Landlock: %s", strerror(errno));
	close(rules);
}

int main(void)
{
	long word = 0;
	believe("Landlock, whatever it forbids, forbids to look into programs");
	need_to_look_into_children();
	pid_t child = start(be_looked_into, NULL);
	wait_state(child, 'T');
	int error = read_word(child, &secret, &word);
	expect(error == 0 && word == 4711, "before: %s", strerror(error));
	forbid_making_devices();
	error = read_word(child, &secret, &word);
	expect(error == EPERM, "process_vm_readv: %s", strerror(error));
	int fd = duplicate(child, STDOUT_FILENO);
	expect(fd == -EPERM, "pidfd_getfd: %d", fd);
	return it_holds();
}
