#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"

/* doctor: the container or the job that this process runs in. */

#define NAME_SIZE 64

/* What a runtime leaves in its containers: a variable, or a file. Those that use another runtime
 * come before it. */
static const struct {
	const char *name, *variable, *file;
} marks[] = {
	{"Kubernetes", "KUBERNETES_SERVICE_HOST", "/var/run/secrets/kubernetes.io"},
	{"Apptainer", "APPTAINER_CONTAINER", NULL},
	{"Singularity", "SINGULARITY_CONTAINER", NULL},
	{"Charliecloud", "CH_RUNNING", NULL},
	{"Flatpak", "FLATPAK_ID", "/.flatpak-info"},
	{"podman", NULL, "/run/.containerenv"},
	{"docker", NULL, "/.dockerenv"},
};

/* The first line of a file; false: there is none, or nothing in it. */
static bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool read = file && fgets(line, (int)size, file);
	if (file)
		fclose(file);
	if (read)
		line[strcspn(line, "\n")] = '\0';
	return read && *line;
}

/* The programs that are process 1 of a sandbox that they have made. */
static bool is_made_by_first(char *name, size_t size)
{
	return doctor_has_own_namespace("pid") && read_line("/proc/1/comm", name, size) &&
	       (strcmp(name, "bwrap") == 0 || strcmp(name, "firejail") == 0);
}

/* Images of disks may have been containers' once. */
static bool has_any_namespace(void)
{
	return doctor_has_own_namespace("pid") || doctor_has_own_namespace("ipc") ||
	       doctor_has_own_namespace("uts") || doctor_has_own_namespace("user");
}

static const char *find_variable(void)
{
	const char *value = getenv("container"); /* https://systemd.io/CONTAINER_INTERFACE */
	if (value && *value)
		return value;
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		value = marks[i].variable ? getenv(marks[i].variable) : NULL;
		if (value && *value)
			return marks[i].name;
	}
	return NULL;
}

static const char *find_file(void)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks) && has_any_namespace(); i++)
		if (marks[i].file && access(marks[i].file, F_OK) == 0)
			return marks[i].name;
	return NULL;
}

/* What the innermost one has left counts first. */
static bool find_runtime(char *name, size_t size)
{
	const char *found = find_variable();
	if (!found &&
	    (read_line("/run/host/container-manager", name, size) ||
	     read_line("/run/systemd/container", name, size) || is_made_by_first(name, size)))
		return true;
	if (!found)
		found = find_file();
	if (found)
		snprintf(name, size, "%s", found);
	return found;
}

void doctor_container(struct doctor *doctor)
{
	static const char advice[] =
		"programs, conf files, the login and /etc/hosts are those that are visible in it; "
		"start globus-streams-run in it, with --base-dir if the conf files are elsewhere";
	char name[NAME_SIZE];
	if (find_runtime(name, sizeof(name)))
		doctor_say(doctor, DOCTOR_OK, "container", "this runs in a container (%s): %s",
			   name, advice);
	else if (doctor_has_own_namespace("pid"))
		doctor_say(doctor, DOCTOR_OK, "container",
			   "this runs in a container or sandbox, with process ids of its own: %s",
			   advice);
	else if (doctor_has_own_namespace("user"))
		doctor_say(doctor, DOCTOR_OK, "container",
			   "this runs in a user namespace of its own: other users' files may "
			   "appear as nobody's, and a conf file has to be this user's own");
	else
		doctor_say(doctor, DOCTOR_OK, "container", "none was found");
}

/* Which part of a job this is, by what Slurm sets in it. */
void doctor_job(struct doctor *doctor)
{
	static const char services[] =
		"a node often has no way to Globus's services and no browser: initialize or import "
		"the environment, and log in, before the job";
	static const char step[] =
		"programs that srun starts are not in a launch around srun: write srun "
		"globus-streams-run TUNNEL -- PROGRAM";
	const char *job = getenv("SLURM_JOB_ID"), *node = getenv("SLURMD_NODENAME");
	if (!job || !*job)
		return;
	if (!node || !*node)
		doctor_say(doctor, DOCTOR_OK, "Slurm",
			   "this runs beside job %s, not on its nodes; %s", job, step);
	else if (getenv("SLURM_STEP_ID"))
		doctor_say(doctor, DOCTOR_OK, "Slurm",
			   "this runs in a step of job %s on node %s; %s", job, node, services);
	else
		doctor_say(doctor, DOCTOR_OK, "Slurm",
			   "this runs in the script of job %s on node %s; %s; %s", job, node, step,
			   services);
}
