#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/place.h"
#include "cli/doctor/doctor.h"
#include "protocol/control.h"

/* doctor: where this process runs. */

/* The kernel's constants for the first namespaces (include/linux/proc_ns.h); that of the network is
 * one since Linux 6.18. */
static const char *const first_namespaces[] = {"user:[4026531837]", "pid:[4026531836]",
					       "ipc:[4026531839]", "uts:[4026531838]",
					       "net:[4026531833]"};

#define NETWORK_ADVICE                                                                             \
	"its addresses, 127.0.0.1 too, are not the machine's; use a listener contact that is "     \
	"reached from outside, or run in the machine's network (docker, podman: --network host)"

/* Whether a supervisor answers a call that the kernel itself would refuse: protocol/control.h, 1.
 * Launches see connect(), bind(), or both. */
static bool is_inside(long call)
{
	struct control_reply question = {
		.header = {CONTROL_VERSION, CONTROL_STATUS, 0, sizeof(question)}};
	return syscall(call, QUESTION_FD, &question, sizeof(question)) == 0 &&
	       question.header.version == CONTROL_VERSION && question.header.op == CONTROL_REPLY;
}

static void check_inside(struct doctor *doctor)
{
	doctor->inside = is_inside(SYS_connect) || is_inside(SYS_bind);
	if (doctor->inside)
		doctor_say(doctor, DOCTOR_WARNING, "inside a launch",
			   "this runs under globus-streams-run, so that its own connections and "
			   "names are intercepted, and the launcher is not tested; for a test of "
			   "this machine, run doctor outside of globus-streams-run");
}

static bool read_namespace(const char *process, const char *name, char *out, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, name);
	ssize_t len = readlink(path, out, size - 1);
	out[len > 0 ? len : 0] = '\0';
	return len > 0;
}

bool doctor_has_own_namespace(const char *name)
{
	char ours[64];
	bool own = read_namespace("self", name, ours, sizeof(ours));
	for (size_t i = 0; i < sizeof(first_namespaces) / sizeof(*first_namespaces); i++)
		own = own && strcmp(ours, first_namespaces[i]) != 0;
	return own;
}

/* That of the network has a constant of its own. */
static bool kernel_tells_network(void)
{
	struct utsname name;
	int major, minor;
	return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 18));
}

static bool has_only_loopback(void)
{
	struct if_nameindex *list = if_nameindex();
	bool only =
		list && list[0].if_index && strcmp(list[0].if_name, "lo") == 0 && !list[1].if_index;
	if (list)
		if_freenameindex(list);
	return only;
}

/* Process 1 has the machine's network, unless it is a container's own. */
static void check_network(struct doctor *doctor)
{
	char ours[64], first[64];
	bool ours_read = read_namespace("self", "net", ours, sizeof(ours));
	bool first_read = read_namespace("1", "net", first, sizeof(first));
	bool container = doctor_has_own_namespace("user") || doctor_has_own_namespace("pid");
	if (ours_read && !doctor_has_own_namespace("net")) {
		doctor_say(doctor, DOCTOR_OK, "network", "the network is this machine's");
	} else if (ours_read && first_read && strcmp(ours, first) != 0) {
		doctor_say(doctor, DOCTOR_WARNING, "network",
			   "this runs in a network namespace of its own (process 1 is in "
			   "another): " NETWORK_ADVICE);
	} else if (ours_read && kernel_tells_network()) {
		doctor_say(doctor, DOCTOR_WARNING, "network",
			   "this runs in a network namespace of its own: " NETWORK_ADVICE);
	} else if (has_only_loopback()) {
		doctor_say(doctor, DOCTOR_WARNING, "network",
			   "no interface but the loopback, as in a network namespace of its "
			   "own: " NETWORK_ADVICE);
	} else {
		doctor_say(doctor, DOCTOR_OK, "network",
			   container ? "this runs in a container: whether its addresses, 127.0.0.1 "
				       "too, are the machine's, it cannot tell"
				     : "no network namespace of its own was found");
	}
}

/* After chroot() into a folder, nothing is mounted at "/". */
static bool is_root_mounted(void)
{
	char line[4096], point[8];
	bool found = false, read = false;
	FILE *file = fopen("/proc/self/mountinfo", "re");
	while (file && fgets(line, sizeof(line), file)) {
		read = true;
		found = found || (sscanf(line, "%*s %*s %*s %*s %7s", point) == 1 &&
				  strcmp(point, "/") == 0);
	}
	if (file)
		fclose(file);
	return found || !read;
}

static void check_root(struct doctor *doctor)
{
	struct stat ours, first;
	bool other = !is_root_mounted();
	if (stat("/proc/1/root/", &first) == 0 && stat("/", &ours) == 0)
		other = ours.st_dev != first.st_dev || ours.st_ino != first.st_ino;
	if (other)
		doctor_say(
			doctor, DOCTOR_WARNING, "root",
			"this runs in a root directory of its own (chroot or container): conf "
			"files, programs and /etc/hosts are those in it, not the machine's; give "
			"--base-dir if the conf files are elsewhere");
}

/* The first executable file of that name in PATH. Free it; NULL: none. */
static char *find_in_path(const char *name)
{
	const char *at = getenv("PATH");
	while (at && *at) {
		size_t len = strcspn(at, ":");
		struct stat st;
		char *path = NULL;
		if (len && asprintf(&path, "%.*s/%s", (int)len, at, name) < 0)
			path = NULL;
		if (path && access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return path;
		free(path);
		at += len + (at[len] == ':');
	}
	return NULL;
}

static void check_path(struct doctor *doctor)
{
	static const char *const names[] = {"globus-streams", "globus-streams-run",
					    "globus-streams-launch.sh"};
	size_t found = 0, others = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		cleanup_free char *first = find_in_path(names[i]),
				  *ours = place_beside_us(names[i]);
		cleanup_free char *real = first ? realpath(first, NULL) : NULL;
		found += real != NULL;
		if (!real || (ours && strcmp(real, ours) == 0))
			continue;
		others++;
		doctor_say(
			doctor, DOCTOR_WARNING, names[i],
			"the first in PATH is %s, which is not of this installation%s%s; put this "
			"installation first in PATH, or remove the other",
			first, ours ? ", whose program is " : "", ours ? ours : "");
	}
	if (!others)
		doctor_say(doctor, DOCTOR_OK, "PATH",
			   found ? "the programs in PATH are those of this installation"
				 : "globus-streams is not in PATH; call it by its full path");
}

void doctor_place(struct doctor *doctor)
{
	check_inside(doctor);
	doctor_container(doctor);
	doctor_job(doctor);
	check_network(doctor);
	check_root(doctor);
	check_path(doctor);
}
