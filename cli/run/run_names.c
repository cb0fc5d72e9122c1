#include "cli/run/run_names.h"

#include <stddef.h>
#include <string.h>

/* They clear LD_PRELOAD, or give their programs another root, without the shim. */
static const char *const known[] = {
	"apptainer",   "arch-chroot", "buildah", "bwrap",          "ch-run",   "chroot",
	"crun",        "doas",        "enroot",  "fakechroot",     "firejail", "flatpak",
	"lxc-execute", "mock",        "nsenter", "pbuilder",       "pkexec",   "podman",
	"proot",       "runc",        "runuser", "schroot",        "shifter",  "singularity",
	"su",          "sudo",        "sudo-rs", "systemd-nspawn", "toolbox",  "udocker",
};

/* They run the command that follows, or a script given as one word. */
static const char *const wrappers[] = {
	"ash",     "bash",     "busybox", "catchsegv", "chrt",     "dash",    "dbus-run-session",
	"env",     "fish",     "flock",   "gdb",       "ionice",   "ksh",     "ltrace",
	"mksh",    "mpiexec",  "mpirun",  "nice",      "nohup",    "numactl", "parallel",
	"perf",    "prlimit",  "screen",  "script",    "setarch",  "setpriv", "setsid",
	"sh",      "stdbuf",   "strace",  "taskset",   "time",     "timeout", "tmux",
	"unshare", "valgrind", "watch",   "xargs",     "xvfb-run", "zsh",
};

static bool is_in(const char *const *list, size_t count, const char *word, size_t len)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == len && memcmp(list[i], word, len) == 0)
			return true;
	return false;
}
#define IS_IN(list, word, len) is_in(list, sizeof(list) / sizeof(*(list)), word, len)

/* The last part of a path. */
static const char *base_of(const char *word, size_t *len)
{
	const char *slash = memrchr(word, '/', *len);
	if (!slash)
		return word;
	*len -= (size_t)(slash + 1 - word);
	return slash + 1;
}

/* Of a script in one word: any word of it. */
static bool names_known(const char *text)
{
	static const char ends[] = " \t\n;|&()`'\"$<>{}";
	while (*text) {
		size_t len = strcspn(text, ends), part = len;
		const char *name = base_of(text, &part);
		if (IS_IN(known, name, part))
			return true;
		text += len;
		text += strspn(text, ends);
	}
	return false;
}

bool run_names_need_opens(char *const *command)
{
	size_t len = strlen(command[0]);
	const char *name = base_of(command[0], &len);
	if (IS_IN(known, name, len))
		return true;
	bool wraps = IS_IN(wrappers, name, len);
	for (size_t i = 1; wraps && command[i]; i++)
		if (names_known(command[i]))
			return true;
	return false;
}
