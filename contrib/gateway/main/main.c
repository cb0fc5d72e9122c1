/*
 * globus-streams-gateway: stands in for Globus on one machine, see globus-streams-gateway(1). One
 * loop does everything: the HTTP services (http.h, routes.h), and the data path of the two stream
 * access points (lan_port.h, call.h, relay.h).
 */

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "contrib/gateway/base/cleanup.h"
#include "contrib/gateway/base/log.h"
#include "contrib/gateway/main/env_file.h"
#include "contrib/gateway/relay/tunnel_life.h"
#include "contrib/gateway/services/http.h"
#include "contrib/gateway/state/gateway.h"
#include "contrib/gateway/state/store_json.h"

#define FDS_RESERVED 512 /* for HTTP, ports, files */
#define FDS_PER_CALL 6   /* two sockets, and a pipe each way when it is busy */
#define CALLS_MIN    16
#define CALLS_MAX    20000

static _Noreturn void die(const char *what, int error)
{
	log_warn("%s: %s", what, strerror(-error));
	exit(1);
}

/* --- signals --- */

struct signals {
	struct watch watch;
	struct loop *loop;
	int fd;
};

static void on_signal(struct watch *watch, uint32_t events)
{
	loop_stop(container_of(watch, struct signals, watch)->loop);
}

/* SIGTERM, SIGINT and SIGHUP end the loop. Before any thread is made, so that none of them takes
 * the signal. */
static void watch_signals(struct signals *signals, struct loop *loop)
{
	sigset_t set;
	int error;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* splice() has no MSG_NOSIGNAL */
	signals->loop = loop;
	signals->watch.ready = on_signal;
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC);
	error = signals->fd < 0 ? -errno : loop_watch(loop, &signals->watch, signals->fd, EPOLLIN);
	if (error)
		die("cannot watch for signals", error);
}

/* --- state --- */

static void open_dir(struct state_dir *dir, const char *path)
{
	int error = state_dir_open(dir, path);

	if (error == -EBUSY)
		log_warn("%s: another gateway uses this folder", path);
	else if (error == -EPERM)
		log_warn("%s: the folder belongs to another user, or others may write to it", path);
	else if (error)
		log_warn("cannot use the folder %s: %s; give another with --state", path,
			 strerror(-error));
	if (error)
		exit(1);
}

static void load(struct store *store, const struct state_dir *dir)
{
	char *text;
	size_t len;
	int error = state_dir_read(dir, STATE_FILE, &text, &len);

	if (error == -ENOENT) {
		store_init(store);
		return;
	}
	if (!error) {
		error = strlen(text) == len ? store_parse(store, text) : -EINVAL;
		wipe(text, len);
		free(text);
	}
	if (error == -EINVAL)
		log_warn("%s/%s is damaged, or from another version; move it away to start with an "
			 "empty state",
			 dir->path, STATE_FILE);
	else if (error)
		log_warn("%s/%s: %s", dir->path, STATE_FILE, strerror(-error));
	if (error)
		exit(1);
}

/* --- the HTTP port --- */

/* --port; else the one of the last run; else, and with --new-ports, any. */
static int listen_http(struct gateway *gateway)
{
	const struct options *options = gateway->options;
	uint16_t last = gateway->store.http_port, port = 0;
	int fd = -1;

	gateway->address = options->address;
	address_set_port(&gateway->address, options->port ? (uint16_t)options->port : last);
	if (options->port || (last && !options->new_ports))
		fd = net_listen(&gateway->address, &port);
	if (fd < 0 && !options->port)
		fd = net_listen_elsewhere(&gateway->address, options->new_ports ? last : 0, &port);
	if (fd < 0)
		die("cannot open the HTTP port", fd);
	address_set_port(&gateway->address, port);
	gateway->store.changed |= last != port;
	gateway->store.http_port = port;
	return fd;
}

/* --- */

static size_t calls_limit(void)
{
	long calls = (net_raise_limit() - FDS_RESERVED) / FDS_PER_CALL;

	return calls < CALLS_MIN ? CALLS_MIN : calls > CALLS_MAX ? CALLS_MAX : (size_t)calls;
}

static void init_gateway(struct gateway *gateway, const struct options *options,
			 const struct state_dir *dir)
{
	gateway->options = options;
	gateway->calls_max = calls_limit();
	gateway->offload = offload_create(gateway->loop);
	gateway->pipes = pipes_create();
	gateway->saver =
		gateway->offload ? saver_create(gateway->offload, &gateway->store, dir) : NULL;
	if (!gateway->pipes || !gateway->saver)
		die("cannot set up the gateway", -errno);
}

static void say_ready(const struct gateway *gateway, const struct state_dir *dir)
{
	char url[ENV_URL_MAX];

	env_file_url(&gateway->address, url);
	printf("globus-streams-gateway: ready on %s, source %s/%s\n", url, dir->path, ENV_FILE);
	fflush(stdout);
}

static void finish_gateway(struct gateway *gateway, struct http *http)
{
	int error;

	tunnels_finish(gateway);
	error = saver_flush(gateway->saver);
	if (error)
		log_warn("the last changes were not saved");
	http_destroy(http);
	loop_settle(gateway->loop);
	saver_destroy(gateway->saver);
	offload_destroy(gateway->offload);
	pipes_destroy(gateway->pipes);
	store_finish(&gateway->store);
}

static int serve(struct gateway *gateway, const struct state_dir *dir)
{
	cleanup_fd int fd = listen_http(gateway);
	struct http *http;
	int error;

	tunnels_start(gateway);
	error = saver_flush(gateway->saver);
	http = error ? NULL : http_create(gateway, steal_fd(&fd));
	if (!error && !http)
		log_warn("cannot start the HTTP server");
	if (http)
		error = env_file_write(gateway, dir);
	if (error)
		log_warn("%s: %s", dir->path, strerror(-error));
	if (http && !error) {
		say_ready(gateway, dir);
		error = loop_run(gateway->loop);
	}
	state_dir_remove(dir, ENV_FILE);
	finish_gateway(gateway, http);
	return http && !error ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options options;
	struct gateway gateway = {0};
	struct signals signals = {0};
	struct state_dir dir;
	int status;

	options_parse(&options, argc, argv);
	log_init(options.verbose);
	gateway.loop = loop_create();
	if (!gateway.loop)
		die("cannot create the event loop", -errno);
	watch_signals(&signals, gateway.loop);
	open_dir(&dir, options.state);
	load(&gateway.store, &dir);
	init_gateway(&gateway, &options, &dir);
	status = serve(&gateway, &dir);
	close(signals.fd);
	loop_destroy(gateway.loop);
	state_dir_close(&dir);
	return status;
}
