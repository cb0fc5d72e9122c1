#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/conf_file.h"
#include "cli/command/command.h"
#include "cli/service/control.h"
#include "cli/service/output.h"

/* globus-streams supervisor …: commands to, and questions about, a long-running supervisor. */

struct values {
	const char *socket;
};

static const struct option_spec specs[] = {
	{'s', "socket", "PATH",
	 "connect to the supervisor at PATH (default: GLOBUS_STREAMS_SUPERVISOR)", OPTION_TEXT,
	 offsetof(struct values, socket)},
	{0},
};

static int open_socket(struct cli *cli, const void *values)
{
	return control_open(cli, ((const struct values *)values)->socket);
}

/* The tunnel of that index: 0, ENOENT, or -1 with cli->failure. */
static int ask_tunnel(struct cli *cli, int fd, uint32_t index, struct control_listed *listed)
{
	struct control_listed question = {.index = index};
	int err = control_ask(cli, fd, CONTROL_LISTED, &question.header, sizeof(question),
			      &listed->header, sizeof(*listed));
	if (err > 0 && err != ENOENT)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "cannot list the supervisor's tunnels: %s", strerror(err));
	listed->id[UUID_TEXT] = listed->base[sizeof(listed->base) - 1] = '\0';
	return err;
}

/* A request that consists of its header only, and whose answer is 0 or an errno. */
static int ask_plain(struct cli *cli, const void *values, enum control_op op)
{
	struct control_header question;
	int fd = open_socket(cli, values);
	if (fd < 0)
		return -1;
	int err = control_ask(cli, fd, op, &question, sizeof(question), NULL, 0);
	close(fd);
	return err;
}

/* --- status --- */

static const char *const reasons[REFUSAL_COUNT] = {
	[REFUSED_SECRET] = "secret", [REFUSED_FORMAT] = "format",           [REFUSED_TIME] = "time",
	[REFUSED_CLOSED] = "closed", [REFUSED_UNREACHABLE] = "unreachable", [REFUSED_FULL] = "full",
	[REFUSED_OTHER] = "other",
};

static void add_number(cJSON *object, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(object, name, (double)value);
}

static cJSON *status_json(const struct control_status *status)
{
	cJSON *json = cJSON_CreateObject();
	add_number(json, "pid", (uint64_t)status->pid);
	cJSON_AddStringToObject(json, "version", status->version);
	cJSON_AddBoolToObject(json, "stopping", status->stopping);
	add_number(json, "programs", status->programs);
	add_number(json, "names", status->names);
	add_number(json, "listeners", status->listeners);
	add_number(json, "calls_held", status->calls);
	add_number(json, "connecting", status->connecting);
	add_number(json, "authenticating", status->incoming);
	add_number(json, "connected", status->connects);
	add_number(json, "accepted", status->accepts);
	cJSON *refused = cJSON_AddObjectToObject(json, "refused");
	for (size_t i = 0; i < REFUSAL_COUNT; i++)
		add_number(refused, reasons[i], status->refused[i]);
	add_number(json, "notifications", status->notifications);
	add_number(json, "restarts", status->restarts);
	add_number(json, "upgrades", status->upgrades);
	return json;
}

static void add_tunnel(cJSON *list, const struct control_listed *tunnel)
{
	cJSON *json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "id", tunnel->id);
	cJSON_AddStringToObject(json, "base_dir", tunnel->base);
	cJSON_AddStringToObject(json, "side", tunnel->initiates ? "initiator" : "listener");
	cJSON_AddBoolToObject(json, "secured", tunnel->secured);
	cJSON *ports = cJSON_AddArrayToObject(json, "ports");
	for (size_t i = 0; i < CONTROL_PORTS_MAX && tunnel->ports[i]; i++)
		cJSON_AddItemToArray(ports, cJSON_CreateNumber(tunnel->ports[i]));
	cJSON_AddItemToArray(list, json);
}

/* The limit of that index: 0, ENOENT where there are no more, -1 after a failure. */
static int ask_limit(struct cli *cli, int fd, uint32_t index, struct control_limit *limit)
{
	struct control_limit question = {.index = index};
	int err = control_ask(cli, fd, CONTROL_LIMIT, &question.header, sizeof(question),
			      &limit->header, sizeof(*limit));
	if (err > 0 && err != ENOENT)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "cannot list the supervisor's limits: %s", strerror(err));
	limit->name[sizeof(limit->name) - 1] = '\0';
	return err;
}

static int add_limits(struct cli *cli, int fd, cJSON *list)
{
	struct control_limit limit;
	int err;
	for (uint32_t i = 0; (err = ask_limit(cli, fd, i, &limit)) == 0; i++) {
		cJSON *json = cJSON_CreateObject();
		cJSON_AddStringToObject(json, "name", limit.name);
		add_number(json, "most", limit.most);
		add_number(json, "now", limit.now);
		add_number(json, "met", limit.met);
		cJSON_AddItemToArray(list, json);
	}
	return err;
}

/* Only the limits at which something was refused. */
static int print_limits(struct cli *cli, int fd)
{
	struct control_limit limit;
	int err;
	for (uint32_t i = 0; (err = ask_limit(cli, fd, i, &limit)) == 0; i++)
		if (limit.met)
			output_line("Limit: %s, %u at most, %u now, met %llu times", limit.name,
				    (unsigned)limit.most, (unsigned)limit.now,
				    (unsigned long long)limit.met);
	return err < 0 ? -1 : 0;
}

static int print_json(struct cli *cli, int fd, const struct control_status *status)
{
	struct control_listed tunnel;
	cJSON *json = status_json(status);
	cJSON *list = cJSON_AddArrayToObject(json, "tunnels");
	int err = 0;
	for (uint32_t i = 0; (err = ask_tunnel(cli, fd, i, &tunnel)) == 0; i++)
		add_tunnel(list, &tunnel);
	if (err >= 0)
		err = add_limits(cli, fd, cJSON_AddArrayToObject(json, "limits"));
	if (err >= 0)
		output_json(json);
	cJSON_Delete(json);
	return err < 0 ? -1 : 0;
}

/* "2 (secret 1, time 1)" */
static void refused_text(const struct control_status *status, char *text, size_t size)
{
	uint64_t total = 0;
	for (size_t i = 0; i < REFUSAL_COUNT; i++)
		total += status->refused[i];
	size_t len = (size_t)snprintf(text, size, "%llu", (unsigned long long)total);
	const char *before = " (";
	for (size_t i = 0; i < REFUSAL_COUNT; i++) {
		if (!status->refused[i])
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s%s %llu", before, reasons[i],
					(unsigned long long)status->refused[i]);
		before = ", ";
	}
	if (total)
		snprintf(text + len, size - len, ")");
}

static int print_tunnels(struct cli *cli, int fd)
{
	struct control_listed tunnel;
	int err;
	for (uint32_t i = 0; (err = ask_tunnel(cli, fd, i, &tunnel)) == 0; i++)
		output_line("Tunnel: %s, %s, %s/%s.conf%s", tunnel.id,
			    tunnel.initiates ? "initiator" : "listener", tunnel.base, tunnel.id,
			    tunnel.secured ? "" : ", not secured");
	return err < 0 ? -1 : 0;
}

static int print_text(struct cli *cli, int fd, const struct control_status *status)
{
	char pid[16], numbers[8][24], refused[512];
	const uint64_t values[8] = {status->programs,   status->tunnels,  status->calls,
				    status->connecting, status->incoming, status->connects,
				    status->accepts,    status->restarts};
	for (size_t i = 0; i < 8; i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%llu", (unsigned long long)values[i]);
	snprintf(pid, sizeof(pid), "%d", (int)status->pid);
	refused_text(status, refused, sizeof(refused));
	output_record(
		(const struct output_field[]){
			{"Process", pid},
			{"Version", status->version},
			{"State",
			 status->stopping ? "stopping when its last program ends" : "running"},
			{"Programs", numbers[0]},
			{"Tunnels", numbers[1]},
			{"Calls held", numbers[2]},
			{"Connecting", numbers[3]},
			{"Authenticating", numbers[4]},
			{"Connected", numbers[5]},
			{"Accepted", numbers[6]},
			{"Refused", refused},
			{"Restarts", numbers[7]},
		},
		12);
	return print_tunnels(cli, fd) < 0 ? -1 : print_limits(cli, fd);
}

static int status_run(struct cli *cli, const void *values, char **words)
{
	struct control_header question;
	struct control_status status = {0};
	(void)words;
	int fd = open_socket(cli, values);
	if (fd < 0)
		return -1;
	int err = control_ask(cli, fd, CONTROL_STATUS, &question, sizeof(question), &status.header,
			      sizeof(status));
	status.version[sizeof(status.version) - 1] = '\0';
	if (err > 0)
		err = failure_set(&cli->failure, STATUS_FAILED, "%s", strerror(err));
	else if (err == 0)
		err = cli->json ? print_json(cli, fd, &status) : print_text(cli, fd, &status);
	close(fd);
	return err;
}

/* --- reload --- */

static int reload(struct cli *cli, int fd, const struct control_listed *tunnel)
{
	struct control_tunnel message = {0};
	cleanup_free char *why = NULL;
	if (conf_file_view(tunnel->base, tunnel->id, &message.view, &why) < 0) {
		cli_report(cli, "%s; the supervisor keeps what it read before",
			   why ? why : "out of memory");
		return 1;
	}
	memcpy(message.id, tunnel->id, sizeof(message.id));
	memcpy(message.base, tunnel->base, sizeof(message.base));
	int err = control_ask(cli, fd, CONTROL_TUNNEL, &message.header, sizeof(message), NULL, 0);
	conf_view_wipe(&message.view);
	if (err > 0)
		cli_report(
			cli, "%s/%s.conf: the supervisor refused it: %s", tunnel->base, tunnel->id,
			err == EDOM ? "it maps a HOST:PORT that already goes through another tunnel"
				    : strerror(err));
	return err > 0 ? 1 : err;
}

static int reload_run(struct cli *cli, const void *values, char **words)
{
	struct control_listed tunnel;
	int err = 0, done = 0, failed = 0;
	(void)words;
	int fd = open_socket(cli, values);
	if (fd < 0)
		return -1;
	for (uint32_t i = 0; err >= 0 && (err = ask_tunnel(cli, fd, i, &tunnel)) == 0; i++) {
		err = reload(cli, fd, &tunnel);
		failed += err > 0;
		done += err == 0;
	}
	close(fd);
	if (err < 0)
		return -1;
	if (!cli->json)
		output_line("%d conf file%s read again", done, done == 1 ? "" : "s");
	return failed ? STATUS_FAILED : 0;
}

/* --- stop, upgrade --- */

static int stop_run(struct cli *cli, const void *values, char **words)
{
	(void)words;
	int err = ask_plain(cli, values, CONTROL_STOP);
	if (err > 0)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "the supervisor refused to stop: %s", strerror(err));
	return err;
}

static const char *why_not(int error)
{
	switch (error) {
	case EXDEV:
		return "the installed version keeps its state in another format; restart the "
		       "supervisor: its programs attach to it again";
	case ENOEXEC:
		return "the file at its path cannot be run, or is a different program";
	case EOPNOTSUPP:
		return "it runs with a file size limit, or cannot find its own program file; "
		       "restart it";
	case EALREADY:
		return "another upgrade is in progress";
	default:
		return strerror(error);
	}
}

static int upgrade_run(struct cli *cli, const void *values, char **words)
{
	(void)words;
	int err = ask_plain(cli, values, CONTROL_UPGRADE);
	if (err > 0)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "the supervisor was not upgraded and keeps running: %s",
				   why_not(err));
	return err;
}

#define COMMAND(verb, says, more)                                                                  \
	const struct command supervisor_##verb##_command = {.name = #verb,                         \
							    .summary = says,                       \
							    .about = more,                         \
							    .options = specs,                      \
							    .values_size = sizeof(struct values),  \
							    .run = verb##_run}

COMMAND(status, "show the supervisor's programs, tunnels and connections", NULL);
COMMAND(reload, "reload the conf files of the supervisor's tunnels",
	"New secrets, contacts and names apply to connections made from now on.");
COMMAND(stop, "stop the supervisor once its last program has ended", NULL);
COMMAND(upgrade, "replace the running supervisor with the installed version",
	"Calls in progress continue. If the installed version keeps its state in another format, "
	"nothing changes, and the exit status is 1.");
