#include "cli/command/environment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/file.h"
#include "cli/base/options.h"
#include "cli/base/patience.h"
#include "cli/base/say.h"
#include "cli/base/text.h"
#include "cli/command/interface.h"

#define LOCK_MS 120000

/* The folder of the conf files; NULL with cli->failure. Free it. */
static char *base_of(struct cli *cli, const char *base_dir)
{
	char *base = base_dir && !*base_dir ? NULL : conf_file_base(base_dir);
	if (base_dir && !*base_dir)
		failure_set(&cli->failure, STATUS_USAGE, "--base-dir takes a folder, not ''");
	else if (!base)
		failure_set(&cli->failure, STATUS_FAILED,
			    "cannot find the home folder: %s; set HOME", strerror(errno));
	return base;
}

int environment_init(struct environment *environment, struct cli *cli, const char *base_dir,
		     const char *id)
{
	*environment = (struct environment){.lock = -1};
	if (cli_uuid(cli, "a tunnel's", id, environment->id) < 0)
		return -1;
	environment->base = base_of(cli, base_dir);
	if (!environment->base)
		return -1;
	environment->option = conf_file_option(environment->base);
	return environment->option ? 0 : failure_memory(&cli->failure);
}

/* A lock file without a conf file is left over from a query or a failure. */
static void drop_idle_lock(struct environment *environment)
{
	cleanup_free char *path = NULL;
	if (environment->lock < 0)
		return;
	if (asprintf(&path, "%s/%s.conf", environment->base, environment->id) < 0)
		path = NULL;
	else if (access(path, F_OK) < 0 && errno == ENOENT)
		environment_remove_lock(environment);
}

void environment_finish(struct environment *environment)
{
	drop_idle_lock(environment);
	environment_unlock(environment);
	conf_finish(&environment->conf);
	free(environment->base);
	free(environment->option);
	*environment = (struct environment){.lock = -1};
}

int environment_read(struct environment *environment, struct cli *cli)
{
	cleanup_free char *why = NULL;
	conf_finish(&environment->conf);
	say_debug("reading %s/%s.conf", environment->base, environment->id);
	if (conf_file_read(environment->base, environment->id, &environment->conf, &why) == 0)
		return 0;
	return failure_set(&cli->failure, STATUS_FAILED, "%s", why ? why : "out of memory");
}

bool environment_try(struct environment *environment)
{
	cleanup_free char *why = NULL;
	conf_finish(&environment->conf);
	int err = conf_file_read(environment->base, environment->id, &environment->conf, &why);
	return err != -ENOENT && err != -ENOTDIR;
}

/* "<base>/.<id>.<tail>" */
static char *beside(const struct environment *environment, const char *tail)
{
	char *path = NULL;
	int n = asprintf(&path, "%s/.%s.%s", environment->base, environment->id, tail);
	return n < 0 ? NULL : path;
}

int environment_lock(struct environment *environment, struct cli *cli)
{
	cleanup_free char *path = beside(environment, "lock");
	if (!path)
		return failure_memory(&cli->failure);
	int fd = file_make_folder(environment->base);
	long long ms = patience_left_ms(LOCK_MS);
	if (fd == 0)
		fd = file_lock(path, ms, say_lock_tick, &environment->waited);
	say_waiting(NULL);
	if (fd == -EINTR)
		return patience_fail(&cli->failure, "");
	if (fd == -ETIMEDOUT)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "another globus-streams has held the lock %s for %lld s; end "
				   "that process and try again",
				   path, ms / 1000);
	if (fd < 0)
		say_verbose("cannot lock %s: %s; continuing without the lock", path, strerror(-fd));
	else
		environment->lock = fd;
	return 0;
}

void environment_unlock(struct environment *environment)
{
	if (environment->lock >= 0)
		close(environment->lock);
	environment->lock = -1;
}

int environment_try_write(const struct environment *environment, struct cli *cli)
{
	cleanup_free char *why = NULL;
	if (conf_file_try_write(environment->base, environment->id, &why) == 0)
		return 0;
	return failure_set(&cli->failure, STATUS_FAILED, "%s", why ? why : "out of memory");
}

int environment_try_remove(const struct environment *environment, struct cli *cli)
{
	if (faccessat(AT_FDCWD, environment->base, W_OK | X_OK, AT_EACCESS) == 0)
		return 0;
	return failure_set(&cli->failure, STATUS_FAILED,
			   "cannot delete %s/%s.conf: %s; nothing was deleted or revoked",
			   environment->base, environment->id, strerror(errno));
}

int environment_write(struct environment *environment, struct cli *cli)
{
	cleanup_free char *why = NULL;
	if (environment->lock >= 0) {
		cleanup_free char *path = NULL;
		if (asprintf(&path, "%s/%s.conf", environment->base, environment->id) >= 0)
			file_sweep(path);
	}
	if (conf_file_write(environment->base, environment->id, &environment->conf, &why) == 0)
		return 0;
	return failure_set(&cli->failure, STATUS_FAILED, "%s", why ? why : "out of memory");
}

int environment_remove(struct environment *environment, struct cli *cli)
{
	cleanup_free char *path = NULL;
	if (asprintf(&path, "%s/%s.conf", environment->base, environment->id) < 0) {
		path = NULL;
		return failure_memory(&cli->failure);
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return failure_set(&cli->failure, STATUS_FAILED, "cannot delete %s: %s", path,
				   strerror(errno));
	file_sweep(path);
	environment_remove_lock(environment);
	return 0;
}

void environment_remove_lock(struct environment *environment)
{
	cleanup_free char *path = beside(environment, "lock");
	if (path && environment->lock >= 0)
		file_unlink_lock(path);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The id in "<id>.conf"; NULL: another name. */
static char *id_of(const char *name)
{
	uint8_t bytes[UUID_BYTES];
	char *id = strdup(name);
	if (id && strlen(id) == UUID_TEXT + strlen(".conf") &&
	    strcmp(id + UUID_TEXT, ".conf") == 0) {
		id[UUID_TEXT] = '\0';
		if (uuid_parse(id, bytes) == 0)
			return id;
	}
	free(id);
	return NULL;
}

static int collect(DIR *dir, char ***ids, size_t *count)
{
	for (struct dirent *entry; (entry = readdir(dir));) {
		char *id = id_of(entry->d_name);
		if (!id)
			continue;
		char **more = reallocarray(*ids, *count + 1, sizeof(*more));
		if (!more) {
			free(id);
			return -1;
		}
		*ids = more;
		more[(*count)++] = id;
	}
	return 0;
}

int environment_ids(struct cli *cli, const char *base_dir, char ***ids, size_t *count)
{
	*ids = NULL;
	*count = 0;
	cleanup_free char *base = base_of(cli, base_dir);
	if (!base)
		return -1;
	DIR *dir = opendir(base);
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return failure_set(&cli->failure, STATUS_FAILED, "cannot read the folder %s: %s",
				   base, strerror(errno));
	int err = collect(dir, ids, count);
	closedir(dir);
	if (err) {
		environment_free_ids(*ids, *count);
		return failure_memory(&cli->failure);
	}
	if (*count)
		qsort(*ids, *count, sizeof(**ids), by_text);
	return 0;
}

void environment_free_ids(char **ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(ids[i]);
	free(ids);
}

int environment_set(struct environment *environment, struct cli *cli, const char *key,
		    const char *value)
{
	int err = conf_set(&environment->conf, key, value);
	if (err)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "the conf file cannot hold this value of %s: %s", key,
				   strerror(-err));
	return 0;
}

int environment_set_number(struct environment *environment, struct cli *cli, const char *key,
			   long long value)
{
	char text[24];
	snprintf(text, sizeof(text), "%lld", value);
	return environment_set(environment, cli, key, text);
}

bool environment_is_listener(const struct environment *environment)
{
	return conf_has(&environment->conf, CONF_LISTENER_CONTACT);
}

bool environment_is_initiator(const struct environment *environment)
{
	const struct conf *conf = &environment->conf;
	return !environment_is_listener(environment) &&
	       (conf_has(conf, CONF_GLOBUS_CONTACT) || conf_get(conf, CONF_CONTACT));
}

int environment_check(const struct environment *environment, struct cli *cli)
{
	struct conf_view view;
	const char *key, *why;
	int err = conf_view(&environment->conf, &view, &key, &why);
	conf_view_wipe(&view);
	if (!err)
		return 0;
	return failure_set(&cli->failure, STATUS_FAILED,
			   "%s/%s.conf: %s %s; run: globus-streams environment initialize --force "
			   "%s%s",
			   environment->base, environment->id, key, why, environment->option,
			   environment->id);
}

long long environment_number(const struct environment *environment, const char *key,
			     long long otherwise)
{
	const char *text = conf_get(&environment->conf, key);
	long long value;
	if (!text || options_number(text, 0, INT64_MAX, &value) < 0)
		return otherwise;
	return value;
}

unsigned environment_fake_port(const struct environment *environment)
{
	long long port = environment_number(environment, CONF_FAKE_PORT, 0);
	return port > 0 && port <= UINT16_MAX ? (unsigned)port : CONF_FAKE_PORT_LOW;
}

int environment_contact(struct cli *cli, const char *option, const char *text,
			struct contact *contact)
{
	int err = contact_parse(text, contact);
	if (err == 0)
		return 0;
	if (err == -EDOM)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "%s: '" TEXT_WORD "' looks like an IPv4 address, but is none; "
				   "give four numbers from 0 to 255, or a name",
				   option, text);
	return failure_set(&cli->failure, STATUS_USAGE,
			   "%s takes HOST:PORT ([ADDRESS]:PORT for IPv6), not '" TEXT_WORD "'",
			   option, text);
}

/* What kind of IPv4 address it is, if nothing can connect to it; NULL: it is usable. */
static const char *uncallable_ipv4(uint32_t address)
{
	if (address >> 24 == 0)
		return "the unspecified address";
	if (address >> 28 == 14)
		return "a multicast address";
	return address == INADDR_BROADCAST ? "the broadcast address" : NULL;
}

/* The same for the text given: a name, or an address in any form that programs accept, even "0". */
static const char *uncallable(const char *host)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list;
	const char *kind = NULL;
	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return NULL;
	if (list->ai_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)list->ai_addr;
		kind = uncallable_ipv4(ntohl(in->sin_addr.s_addr));
	} else if (list->ai_family == AF_INET6) {
		const struct in6_addr *in =
			&((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(in))
			kind = uncallable_ipv4(ntohl(in->s6_addr32[3]));
		else if (IN6_IS_ADDR_UNSPECIFIED(in))
			kind = "the unspecified address";
		else if (IN6_IS_ADDR_MULTICAST(in))
			kind = "a multicast address";
	}
	freeaddrinfo(list);
	return kind;
}

int environment_listener(struct cli *cli, const char *text, struct contact *contact)
{
	if (environment_contact(cli, "--listener-contact-string", text, contact) < 0)
		return -1;
	const char *kind = uncallable(contact->host);
	if (!kind)
		return 0;
	return failure_set(&cli->failure, STATUS_USAGE,
			   "%s is %s, to which nothing can connect; give the address at which the "
			   "access point reaches this machine",
			   contact->host, kind);
}

static bool is_loopback(const char *host)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list;
	bool loopback = strcasecmp(host, "localhost") == 0;
	if (loopback || getaddrinfo(host, NULL, &hints, &list) != 0)
		return loopback;
	if (list->ai_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)list->ai_addr;
		loopback = ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	} else if (list->ai_family == AF_INET6) {
		const struct in6_addr *in =
			&((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr;
		loopback = IN6_IS_ADDR_LOOPBACK(in) ||
			   (IN6_IS_ADDR_V4MAPPED(in) && in->s6_addr[12] == IN_LOOPBACKNET);
	}
	freeaddrinfo(list);
	return loopback;
}

bool environment_warn_loopback(const struct contact *contact)
{
	bool loopback = is_loopback(contact->host);
	if (loopback)
		say_warning("%s is a loopback address: only an access point on this same machine "
			    "can reach the listener",
			    contact->host);
	return loopback;
}

void environment_warn_listener(const struct contact *contact)
{
	if (environment_warn_loopback(contact))
		return;
	say_waiting("resolving a name");
	int here = interface_has(contact->host);
	say_waiting(NULL);
	if (here < 0)
		say_warning("%s cannot be resolved on this machine: %s; check that the access "
			    "point can resolve it, or give an address",
			    contact->host, gai_strerror(here));
	else if (!here)
		say_warning("%s is on no network interface of this machine; unless it is forwarded "
			    "here (NAT), correct it with: globus-streams environment update "
			    "--listener-contact-string HOST:PORT",
			    contact->host);
}
