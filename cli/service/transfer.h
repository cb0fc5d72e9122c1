#ifndef GS_TRANSFER_H
#define GS_TRANSFER_H

/* The Transfer service: tunnels, stream access points, endpoints. Functions return 0, or -1 with
 * cli->failure. */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/service/cli.h"
#include "protocol/contact.h"

/* A tunnel as the service shows it. Texts belong to document; NULL or 0: not known (yet). */
struct tunnel {
	cJSON *document;
	const char *id, *label, *state, *status, *created;
	const char *initiator_ap, *listener_ap;
	const char *initiator_ip, *listener_ip;
	int64_t initiator_port, listener_port, lifetime_mins;
};

struct tunnel_wish {
	const char *initiator_ap, *listener_ap;
	const char *label;       /* NULL: none */
	long long lifetime_mins; /* 0: the default of the service */
	bool restartable;
	const struct contact *listener; /* NULL: not known yet */
};

struct access_point {
	cJSON *document;
	const cJSON *data;
	const char *id, *name, *endpoint; /* name and what follows may be NULL */
	const char *email, *info, *department, *description, *link, *organization;
};

/* A request to <base><path>; body is taken over. what, next: see struct call. *answer is to be
 * deleted. */
int transfer_request(struct cli *cli, const char *method, const char *path, cJSON *body,
		     const char *what, const char *next, cJSON **answer);

int transfer_tunnel(struct cli *cli, const char *id, struct tunnel *tunnel);
int transfer_create(struct cli *cli, const struct tunnel_wish *wish, struct tunnel *tunnel);

/* attributes: what changes; taken over. */
int transfer_change(struct cli *cli, const char *id, cJSON *attributes, struct tunnel *tunnel);
int transfer_delete(struct cli *cli, const char *id);

/* All elements of a list, from all its pages: an array to be deleted. what: for messages. A list
 * without an end, or with a page elsewhere, is a failure, since it could not be read completely. */
int transfer_list(struct cli *cli, const char *path, const char *what, cJSON **list);

/* The same with filters for its query, as http_form() takes them. */
int transfer_find(struct cli *cli, const char *path, const char *const *filters, const char *what,
		  cJSON **list);

void tunnel_finish(struct tunnel *tunnel);

int transfer_access_point(struct cli *cli, const char *id, struct access_point *point);
void access_point_finish(struct access_point *point);

/* The base URL of an endpoint's GCS Manager. Free it. */
int transfer_manager_url(struct cli *cli, const char *endpoint, char **url);

/* {listener_ip_address, listener_port}, for transfer_change(). NULL: no memory. */
cJSON *transfer_listener(const char *host, uint16_t port);

#endif
