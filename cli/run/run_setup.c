#include "cli/run/run_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/conf_file.h"
#include "cli/run/run_elf.h"
#include "cli/run/run_expiry.h"
#include "cli/run/run_inside.h"
#include "cli/run/run_names.h"
#include "cli/run/run_shim.h"
#include "supervisor/base/limit.h"
#include "supervisor/base/log_target.h"
#include "supervisor/process/attach.h"
#include "supervisor/tunnel/tunnel.h"

#define INTERCEPT "GLOBUS_STREAMS_INTERCEPT_PORT_"

extern char **environ;

void run_error(const char *format, ...)
{
	char text[4096];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?'; /* text from elsewhere may hold anything */
	fprintf(stderr, "globus-streams-run: %s\n", text);
}

struct setup {
	const struct run_options *options;
	struct state *state;
	char base[BASE_PATH_MAX]; /* folder of the conf files */
	bool calls[MAX_TUNNELS];  /* the conf is for the initiator side, with a contact */
};

/* --- tunnels --- */

static int add_view(struct setup *setup, const char *id, const struct conf_view *view)
{
	int err = run_expiry_check(setup->state->keeping.cli, setup->base, id, view->expiration);
	if (err)
		return err;
	err = tunnel_add(setup->state, id, setup->base, view);
	if (err == 0)
		setup->calls[setup->state->tunnel_count - 1] =
			view->contact.port && !view->listener.port;
	if (err == 0 || err == -EEXIST)
		return 0;
	if (err == -EDOM)
		run_error("a --globus-contact of tunnel %s already goes through another tunnel of "
			  "this command; use one of the two tunnels",
			  id);
	else
		run_error("cannot add tunnel %s: too many tunnels or names", id);
	return 1;
}

/* Read the conf of a tunnel and add it, once. */
static int add_tunnel(struct setup *setup, const char *text)
{
	struct state *state = setup->state;
	uint8_t bytes[UUID_BYTES];
	char id[UUID_TEXT + 1];
	struct conf_view view;
	cleanup_free char *why = NULL;
	if (uuid_parse(text, bytes) < 0) {
		run_error("'%s' is not a tunnel's id, which is a UUID; the tunnels that are "
			  "initialized here are listed by: globus-streams environment list",
			  text);
		return 2;
	}
	uuid_format(bytes, id);
	if (tunnel_find(state, id, setup->base) != NONE)
		return 0;
	if (conf_file_view(setup->base, id, &view, &why) < 0) {
		run_error("%s", why ? why : "out of memory");
		return 1;
	}
	int err = add_view(setup, id, &view);
	conf_view_wipe(&view);
	return err;
}

/* given: what names the port, for messages */
static int add_port(const struct setup *setup, uint32_t tunnel, const char *given, const char *text)
{
	long long port;
	if (options_number(text, 1, UINT16_MAX, &port) < 0) {
		run_error("%s: '%s' is not a port; give a number from 1 to 65535", given, text);
		return 2;
	}
	if (tunnel_listen(setup->state, tunnel, (uint16_t)port) < 0) {
		run_error("too many ports for tunnel %s", setup->state->tunnels[tunnel].id);
		return 1;
	}
	if (setup->calls[tunnel])
		run_error("%s/%s.conf is for the initiator side: no access point will connect to "
			  "port %s here; on the listener side, run: globus-streams environment "
			  "initialize --listener-contact-string HOST:PORT %s",
			  setup->base, setup->state->tunnels[tunnel].id, text,
			  setup->state->tunnels[tunnel].id);
	return 0;
}

/* A port of --port applies to the tunnels that may listen, or to all if none may. */
static int add_port_to_all(const struct setup *setup, const char *text)
{
	int status = 0;
	bool may = false;
	for (uint32_t i = 0; i < setup->state->tunnel_count; i++)
		may |= !setup->calls[i];
	for (uint32_t i = 0; status == 0 && i < setup->state->tunnel_count; i++)
		if (!may || !setup->calls[i])
			status = add_port(setup, i, "--port", text);
	return status;
}

/* GLOBUS_STREAMS_INTERCEPT_PORT_<port>=<tunnel id> */
static int add_intercepted(struct setup *setup)
{
	for (char **variable = environ; *variable; variable++) {
		uint8_t bytes[UUID_BYTES];
		char id[UUID_TEXT + 1], port[6], name[sizeof(INTERCEPT) + sizeof(port)];
		const char *equals = strchr(*variable, '=');
		if (strncmp(*variable, INTERCEPT, sizeof(INTERCEPT) - 1) != 0 || !equals)
			continue;
		const char *start = *variable + sizeof(INTERCEPT) - 1;
		size_t len = (size_t)(equals - start);
		if (len == 0 || len >= sizeof(port) || uuid_parse(equals + 1, bytes) < 0) {
			run_error("%s is not valid; write %sPORT=TUNNEL_ID", *variable, INTERCEPT);
			return 2;
		}
		snprintf(port, sizeof(port), "%.*s", (int)len, start);
		snprintf(name, sizeof(name), "%s%s", INTERCEPT, port);
		uuid_format(bytes, id);
		int status = add_tunnel(setup, id);
		if (status == 0)
			status = add_port(setup, tunnel_find(setup->state, id, setup->base), name,
					  port);
		if (status)
			return status;
	}
	return 0;
}

static int add_tunnels(struct setup *setup)
{
	const struct run_options *options = setup->options;
	for (size_t i = 0; i < options->tunnel_count; i++) {
		int status = add_tunnel(setup, options->tunnels[i]);
		if (status)
			return status;
	}
	for (size_t i = 0; i < options->ports.count; i++) {
		int status = add_port_to_all(setup, options->ports.items[i]);
		if (status)
			return status;
	}
	return add_intercepted(setup);
}

/* --- paths --- */

static int set_paths(struct setup *setup)
{
	cleanup_free char *base = conf_file_base(setup->options->base_dir);
	cleanup_free char *cli = run_beside("globus-streams");
	if (!base) {
		run_error("cannot find the home folder: %s; set HOME", strerror(errno));
		return 1;
	}
	/* the keeper changes to another folder */
	if (!realpath(base, setup->base))
		snprintf(setup->base, sizeof(setup->base), "%s", base);
	snprintf(setup->state->keeping.cli, sizeof(setup->state->keeping.cli), "%s",
		 cli ? cli : "globus-streams");
	return 0;
}

/* The supervisor that --attach or the environment names. */
static int find_supervisor(struct setup *setup)
{
	const char *path = setup->options->attach;
	if (!path)
		path = getenv("GLOBUS_STREAMS_SUPERVISOR");
	if (!path || !*path)
		return 0;
	setup->state->channel_fd = attach_open(path);
	if (setup->state->channel_fd >= 0) {
		/* to attach again if it is restarted */
		if (!realpath(path, setup->state->keeping.socket_path))
			setup->state->keeping.socket_path[0] = '\0';
		return 0;
	}
	run_error("no supervisor at %s: %s; start one with: globus-streams-supervisor --socket %s",
		  path, strerror(-setup->state->channel_fd), path);
	return 1;
}

static int set_limits(const struct run_options *options, struct state *state)
{
	const char *why;
	for (size_t i = 0; i < options->limits.count; i++)
		if (limit_set(&state->limits, options->limits.items[i], &why) < 0) {
			run_error("--limit %s: %s", options->limits.items[i], why);
			return 2;
		}
	return 0;
}

/* A supervisor that runs already must be given the tunnels, with the ports that are in no conf. */
static void tell_supervisor(struct state *state)
{
	int err = state->channel_fd < 0 ? 0 : attach_tunnels(state->channel_fd, state);
	if (err == 0)
		return;
	run_error("the supervisor refused the tunnels: %s; this command uses its own supervisor",
		  strerror(-err));
	close(state->channel_fd);
	state->channel_fd = -1;
}

static int open_log(const struct run_options *options, struct launch *launch)
{
	const struct log_options log = {.target = options->log_target,
					.file = options->log,
					.format = options->log_format,
					.level = options->log_level,
					.debug = options->debug};
	const char *what, *why;
	launch->debug_fd = log_target_open(&log, &launch->state->log, &what, &why);
	if (launch->debug_fd >= -1)
		return 0;
	if (why)
		run_error("%s: %s", what, why);
	else
		run_error("cannot write the log to %s: %s; give a writable path, or none to log to "
			  "stderr",
			  what, strerror(errno));
	return why ? 2 : 1;
}

/* Options that have an effect only in a launch with its own filter. */
static void ignore_inside(const struct run_options *options)
{
	if (options->debug || options->log || options->hosts || options->allow_io_uring ||
	    options->allow_direct || options->async_connect || options->hold_connect ||
	    options->attach || options->limits.count)
		run_error("inside another globus-streams-run, only --port and --base-dir take "
			  "effect; give the other options to the outer one");
}

int run_setup(const struct run_options *options, struct launch *launch, bool *inside)
{
	struct state *state = launch->state = state_create();
	if (!state) {
		run_error("cannot start: %s", strerror(errno));
		return 1;
	}
	struct setup setup = {.options = options, .state = state};
	int status = set_limits(options, state);
	if (status == 0)
		status = set_paths(&setup);
	const int outer = inside_probe();
	*inside = outer != 0;
	if (status == 0 && !outer)
		status = find_supervisor(&setup);
	if (status == 0)
		status = add_tunnels(&setup);
	if (status == 0 && state->initiates)
		status = run_find_shim(options, outer, &launch->preload);
	if (launch->preload)
		snprintf(state->keeping.shim, sizeof(state->keeping.shim), "%s", launch->preload);
	if (status == 0 && outer)
		status = inside_tell(state, outer);
	else if (status == 0)
		status = open_log(options, launch);
	if (status)
		return status;
	launch->command = options->command;
	if (outer) {
		ignore_inside(options);
		return 0;
	}
	tell_supervisor(state);
	launch->wants = (struct filter_wants){
		.initiates = state->initiates,
		.listens = state->listens,
		.all_opens = options->hosts || run_elf_wants_opens(options->command[0]) ||
			     run_names_need_opens(options->command),
		.allow_io_uring = options->allow_io_uring,
	};
	state->keeping.only_listens = !state->initiates;
	state->keeping.allow_direct = options->allow_direct;
	state->keeping.connects = options->async_connect  ? CONNECTS_ASYNC
				  : options->hold_connect ? CONNECTS_HOLD
							  : CONNECTS_BY_EVIDENCE;
	if (options->allow_direct)
		run_error("direct connections are allowed: a program that does not find the tunnel "
			  "of a mapped name connects to the real host, unencrypted");
	if (options->allow_io_uring)
		run_error("io_uring is allowed: what a program connects or accepts with it "
			  "bypasses the tunnel");
	return 0;
}
