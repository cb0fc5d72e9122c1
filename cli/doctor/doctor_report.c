#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/file.h"
#include "cli/base/text.h"
#include "cli/doctor/doctor.h"
#include "cli/service/json.h"
#include "cli/service/tokens.h"

/*
 * doctor --report: what a ticket needs, in one file. Secrets are left out where it is put together;
 * then the whole text is searched for them, for the home folder and for the user's name, which can
 * come with a path or with a service's message.
 */

#define HIDDEN   "(set, not shown)"
#define NAME_MIN 3 /* a shorter user name would be found in every other word */

extern char **environ;

int doctor_report_open(struct doctor *doctor, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		failure_set(
			&doctor->cli->failure, STATUS_FAILED,
			"cannot create the report %s: %s; give the name of a file that does not "
			"exist, in a folder of yours",
			path, strerror(errno));
	return fd;
}

/* --- what is in it --- */

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The first line of a file that begins with prefix, without it; "": none. */
static void read_line(const char *path, const char *prefix, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	*out = '\0';
	while (file && fgets(out, (int)size, file) && !has_prefix(out, prefix))
		*out = '\0';
	if (file)
		fclose(file);
	out[strcspn(out, "\n")] = '\0';
	memmove(out, out + (*out ? strlen(prefix) : 0),
		strlen(out + (*out ? strlen(prefix) : 0)) + 1);
}

static void add_versions(FILE *out)
{
	struct utsname name = {0};
	char libc[64] = "not glibc", distribution[256];
	uname(&name);
#ifdef _CS_GNU_LIBC_VERSION
	confstr(_CS_GNU_LIBC_VERSION, libc, sizeof(libc));
#endif
	read_line("/etc/os-release", "PRETTY_NAME=", distribution, sizeof(distribution));
	fprintf(out, "\n[versions]\nglobus-streams: %s\nkernel: %s %s %s\nlibc: %s\n", GS_VERSION,
		name.sysname, name.release, name.machine, libc);
	fprintf(out, "distribution: %s\n", *distribution ? distribution : "not known");
}

/* The keys whose values are no secret; those that we do not know may be. */
static bool may_show(const char *key)
{
	static const char *const keys[] = {
		CONF_LANKEY_ID,   CONF_CONTACT,       CONF_UPDATE_TIME, CONF_CONTACT_TTL,
		CONF_ENDPOINT_ID, CONF_FAKE_PORT,     CONF_EXPIRATION,  CONF_LISTENER_CONTACT,
		CONF_LAN_AUTH,    CONF_GLOBUS_CONTACT};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static void add_conf(FILE *out, const struct environment *environment)
{
	fprintf(out, "\n[conf file %s/%s.conf]\n", environment->base, environment->id);
	if (!environment->conf.count)
		fprintf(out, "(missing, or cannot be read)\n");
	for (size_t i = 0; i < environment->conf.count; i++) {
		const struct conf_entry *entry = &environment->conf.entries[i];
		fprintf(out, "%s=%s\n", entry->key,
			may_show(entry->key) || !*entry->value ? entry->value : HIDDEN);
	}
}

static void add_limits(FILE *out)
{
	struct rlimit files = {0};
	getrlimit(RLIMIT_NOFILE, &files);
	fprintf(out, "\n[limits]\nopen files (ulimit -n): %llu, hard %llu\n",
		(unsigned long long)files.rlim_cur, (unsigned long long)files.rlim_max);
}

/* A URL or a path, without "user:password@". */
static void add_value(FILE *out, const char *name, size_t len, const char *value)
{
	const char *scheme = strstr(value, "://"), *begin = scheme ? scheme + 3 : value;
	const char *at = memrchr(begin, '@', strcspn(begin, "/"));
	fprintf(out, "%.*s=%.*s%s%s\n", (int)len, name, (int)(at ? begin - value : 0), value,
		at ? "(not shown)@" : "", at ? at + 1 : value);
}

static void add_variables(FILE *out)
{
	static const char *const shown[] = {"GLOBUS_SDK_ENVIRONMENT=",
					    "GLOBUS_SDK_SERVICE_URL_",
					    "GLOBUS_SDK_HTTP_TIMEOUT=",
					    "GLOBUS_SDK_VERIFY_SSL=",
					    "GLOBUS_STREAMS_BASE_DIR=",
					    "GLOBUS_STREAMS_SUPERVISOR=",
					    "GLOBUS_PROFILE=",
					    "GLOBUS_STREAMS_INTERCEPT_",
					    "LD_PRELOAD=",
					    "LD_LIBRARY_PATH=",
					    "PATH=",
					    "TMPDIR=",
					    "XDG_RUNTIME_DIR=",
					    "LANG=",
					    "LC_ALL=",
					    "http_proxy=",
					    "https_proxy=",
					    "HTTPS_PROXY=",
					    "all_proxy=",
					    "ALL_PROXY=",
					    "no_proxy=",
					    "NO_PROXY="};
	fprintf(out, "\n[environment]\n");
	for (char **at = environ; *at; at++) {
		size_t len = strcspn(*at, "="), i = 0;
		while (i < sizeof(shown) / sizeof(*shown) && !has_prefix(*at, shown[i]))
			i++;
		if (i < sizeof(shown) / sizeof(*shown) && (*at)[len])
			add_value(out, *at, len, *at + len + 1);
		else if (has_prefix(*at, "GLOBUS_"))
			fprintf(out, "%.*s=%s\n", (int)len, *at, HIDDEN);
	}
}

static void add_process(FILE *out)
{
	static const char *const fields[] = {
		"Seccomp:", "Seccomp_filters:", "NoNewPrivs:", "CapEff:", "CapBnd:", "Uid:"};
	static const char *const spaces[] = {"user", "pid", "net", "mnt", "cgroup", "uts", "ipc"};
	char text[512], path[64];
	fprintf(out, "\n[process]\n");
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		read_line("/proc/self/status", fields[i], text, sizeof(text));
		fprintf(out, "%s%s\n", fields[i], text);
	}
	read_line("/proc/sys/kernel/yama/ptrace_scope", "", text, sizeof(text));
	fprintf(out, "ptrace_scope: %s\n", *text ? text : "none");
	for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
		char first[64] = "not readable", ours[64] = "not readable";
		snprintf(path, sizeof(path), "/proc/self/ns/%s", spaces[i]);
		ssize_t n = readlink(path, ours, sizeof(ours) - 1);
		ours[n > 0 ? n : (ssize_t)strlen(ours)] = '\0';
		snprintf(path, sizeof(path), "/proc/1/ns/%s", spaces[i]);
		n = readlink(path, first, sizeof(first) - 1);
		first[n > 0 ? n : (ssize_t)strlen(first)] = '\0';
		fprintf(out, "namespace %s (process 1: %s)\n", ours, first);
	}
	read_line("/proc/self/cgroup", "", text, sizeof(text));
	fprintf(out, "cgroup: %s\n", text);
}

/* --- what must not be in it --- */

/* Put words in place of each occurrence of what; whole: only where it stands as a word. */
static void replace(char **text, const char *what, const char *words, bool whole)
{
	char *out = NULL, *from = *text;
	size_t size, len = what ? strlen(what) : 0;
	FILE *file = len ? open_memstream(&out, &size) : NULL;
	if (!file)
		return;
	for (char *at; (at = strstr(from, what)); from = at + len) {
		bool apart = (at == *text || !isalnum((unsigned char)at[-1])) &&
			     !isalnum((unsigned char)at[len]);
		fprintf(file, "%.*s%s", (int)(at - from), from, !whole || apart ? words : what);
	}
	fprintf(file, "%s", from);
	if (fclose(file) != 0) {
		free(out);
		return;
	}
	explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = out;
}

static void redact_tokens(const char *profile, char **text)
{
	struct failure failure = {0};
	cJSON *list = tokens_load(profile, &failure);
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		replace(text, json_text(item, "access_token"), HIDDEN, false);
		replace(text, json_text(item, "refresh_token"), HIDDEN, false);
	}
	json_wipe(list);
	failure_finish(&failure);
}

static void redact(const char *profile, char **text, const struct environment *environment)
{
	static const char *const names[] = {"GLOBUS_CLI_CLIENT_SECRET", "USER", "LOGNAME"};
	const struct passwd *user = getpwuid(getuid());
	cleanup_free char *home = file_home();
	replace(text, conf_get(&environment->conf, CONF_LANKEY), HIDDEN, false);
	replace(text, getenv(names[0]), HIDDEN, false);
	redact_tokens(profile, text);
	replace(text, home && strlen(home) > 1 ? home : NULL, "~", false);
	for (size_t i = 1; i < 4; i++) {
		const char *name = i < 3 ? getenv(names[i]) : user ? user->pw_name : NULL;
		if (name && strlen(name) >= NAME_MIN && strcmp(name, "root") != 0)
			replace(text, name, "(user)", true);
	}
}

static char *compose(const char *lines, const struct environment *environment, bool tunnel)
{
	char *text = NULL, now[32];
	size_t size;
	time_t seconds = time(NULL);
	FILE *out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
	fprintf(out, "globus-streams doctor, %s\n\n[checks]\n%s", now, lines);
	add_versions(out);
	if (tunnel)
		add_conf(out, environment);
	add_limits(out);
	add_variables(out);
	add_process(out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

int doctor_report_write(struct doctor *doctor, int fd, const char *path, const char *lines,
			const char *base_dir, const char *id)
{
	struct cli *cli = doctor->cli;
	struct environment environment = {.lock = -1};
	if (id && environment_init(&environment, cli, base_dir, id) < 0)
		return -1;
	if (id)
		environment_try(&environment);
	cleanup_wipe char *text = compose(lines, &environment, id != NULL);
	if (text)
		redact(cli->profile, &text, &environment);
	environment_finish(&environment);
	if (!text)
		return failure_memory(&cli->failure);
	size_t len = strlen(text);
	if (write(fd, text, len) == (ssize_t)len && fsync(fd) == 0)
		return 0;
	return failure_set(
		&cli->failure, STATUS_FAILED,
		"cannot write the report %s: %s; free disk space, or choose another folder", path,
		strerror(errno));
}
