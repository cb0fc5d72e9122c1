#include "cli/connections/places.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/command/environment.h"

#define CALLER_SENDS   (LAN_AUTH_HELLO + LAN_AUTH_RESPONSE)
#define ANSWERER_SENDS (LAN_AUTH_CHALLENGE + LAN_AUTH_STATUS)

/* Addresses of the access point, as the sockets have them. */
static void resolve(struct place *place, const struct contact *contact)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	say_waiting("resolving a name");
	int err = contact->port ? getaddrinfo(contact->host, NULL, &hints, &list) : 0;
	say_waiting(NULL);
	if (err)
		say_warning("%s, where the access point of tunnel %s is, cannot be resolved: %s; "
			    "its connections are not shown",
			    contact->host, place->id, gai_strerror(err));
	for (struct addrinfo *at = err ? NULL : list; at && place->count < PLACE_ENDS;
	     at = at->ai_next) {
		struct sockets_end *end = &place->ends[place->count++];
		*end = (struct sockets_end){.address = {[10] = 0xff, 0xff}, .port = contact->port};
		if (at->ai_family == AF_INET)
			memcpy(end->address + 12,
			       &((struct sockaddr_in *)(void *)at->ai_addr)->sin_addr, 4);
		else
			memcpy(end->address,
			       &((struct sockaddr_in6 *)(void *)at->ai_addr)->sin6_addr, 16);
	}
	if (!err && list)
		freeaddrinfo(list);
}

static int read_place(struct place *place, struct cli *cli, const char *base_dir, const char *id)
{
	struct environment environment;
	struct conf_view view = {0};
	const char *key, *why;
	int err = environment_init(&environment, cli, base_dir, id);
	if (!err)
		err = environment_read(&environment, cli);
	if (!err)
		err = environment_check(&environment, cli);
	if (!err && conf_view(&environment.conf, &view, &key, &why) == 0) {
		*place = (struct place){.secured = view.secured, .port = view.listener.port};
		memcpy(place->id, environment.id, sizeof(place->id));
		place->listener = environment_is_listener(&environment);
		if (!place->listener)
			resolve(place, &view.contact);
	}
	conf_view_wipe(&view);
	environment_finish(&environment);
	return err;
}

static int read_all(struct places *places, struct cli *cli, const char *base_dir)
{
	char **ids;
	size_t count;
	if (environment_ids(cli, base_dir, &ids, &count) < 0)
		return -1;
	places->list = calloc(count + 1, sizeof(*places->list));
	for (size_t i = 0; places->list && i < count; i++) {
		if (read_place(&places->list[places->count], cli, base_dir, ids[i]) == 0) {
			places->count++;
			continue;
		}
		say_warning("%s", cli->failure.text ? cli->failure.text : ids[i]);
		failure_finish(&cli->failure);
	}
	environment_free_ids(ids, count);
	return places->list ? 0 : failure_memory(&cli->failure);
}

/* Root takes the rights of the folder's owner, until become_root(): 1; 0: it is its own, or who we
 * are is not root; -1. Root needs no further groups, so they are gone for good. */
static int become_owner(struct cli *cli, const char *base_dir)
{
	struct stat st;
	cleanup_free char *base = conf_file_base(base_dir);
	if (geteuid() != 0 || !base || stat(base, &st) < 0 || st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) == 0 && setegid(st.st_gid) == 0 && seteuid(st.st_uid) == 0)
		return 1;
	return failure_set(&cli->failure, STATUS_FAILED,
			   "cannot read %s with the rights of its owner: %s", base,
			   strerror(errno));
}

static int become_root(struct cli *cli)
{
	if (seteuid(0) == 0 && setegid(0) == 0)
		return 0;
	return failure_set(&cli->failure, STATUS_FAILED, "cannot become root again");
}

int places_read(struct places *places, struct cli *cli, const char *base_dir, const char *id)
{
	*places = (struct places){.base_dir = base_dir, .id = id};
	int owner = become_owner(cli, base_dir), err;
	if (owner < 0) {
		err = -1;
	} else if (id) {
		places->list = calloc(1, sizeof(*places->list));
		err = places->list ? read_place(places->list, cli, base_dir, id)
				   : failure_memory(&cli->failure);
		places->count = !err;
	} else {
		err = read_all(places, cli, base_dir);
	}
	if (owner > 0 && become_root(cli) < 0)
		err = -1;
	return err;
}

void places_finish(struct places *places)
{
	free(places->list);
	*places = (struct places){0};
}

void places_again(struct places *places, struct cli *cli)
{
	struct places again;
	if (places_read(&again, cli, places->base_dir, places->id) == 0) {
		places_finish(places);
		*places = again;
	} else {
		places_finish(&again);
		failure_finish(&cli->failure);
	}
}

static bool leads_to(const struct place *place, const struct sockets_look *look)
{
	if (place->listener)
		return look->here.port == place->port;
	for (size_t i = 0; i < place->count; i++)
		if (look->peer.port == place->ends[i].port &&
		    memcmp(look->peer.address, place->ends[i].address, 16) == 0)
			return true;
	return false;
}

const struct place *places_find(const struct places *places, const struct sockets_look *look)
{
	for (size_t i = 0; i < places->count; i++)
		if (leads_to(&places->list[i], look))
			return &places->list[i];
	return NULL;
}

uint64_t place_handshake_sent(const struct place *place)
{
	return !place->secured ? 0 : place->listener ? ANSWERER_SENDS : CALLER_SENDS;
}

uint64_t place_handshake_received(const struct place *place)
{
	return !place->secured ? 0 : place->listener ? CALLER_SENDS : ANSWERER_SENDS;
}
