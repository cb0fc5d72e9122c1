#include "cli/service/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "cli/base/cleanup.h"
#include "cli/service/auth.h"
#include "cli/service/call.h"
#include "cli/service/json.h"
#include "protocol/contact.h"

#define SERVICE "Transfer"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct json_field tunnel_fields[] = {
	{"id", JSON_UUID, true, offsetof(struct tunnel, id)},
	{"attributes.state", JSON_TEXT, true, offsetof(struct tunnel, state)},
	{"attributes.label", JSON_TEXT, false, offsetof(struct tunnel, label)},
	{"attributes.status", JSON_TEXT, false, offsetof(struct tunnel, status)},
	{"attributes.created_time", JSON_TEXT, false, offsetof(struct tunnel, created)},
	{"attributes.lifetime_mins", JSON_INTEGER, false, offsetof(struct tunnel, lifetime_mins)},
	{"attributes.initiator_ip_address", JSON_TEXT, false,
	 offsetof(struct tunnel, initiator_ip)},
	{"attributes.initiator_port", JSON_PORT, false, offsetof(struct tunnel, initiator_port)},
	{"attributes.listener_ip_address", JSON_TEXT, false, offsetof(struct tunnel, listener_ip)},
	{"attributes.listener_port", JSON_PORT, false, offsetof(struct tunnel, listener_port)},
	{"relationships.initiator.data.id", JSON_UUID, true, offsetof(struct tunnel, initiator_ap)},
	{"relationships.listener.data.id", JSON_UUID, true, offsetof(struct tunnel, listener_ap)},
};

static const struct json_field access_point_fields[] = {
	{"data.id", JSON_UUID, true, offsetof(struct access_point, id)},
	{"data.attributes.display_name", JSON_TEXT, false, offsetof(struct access_point, name)},
	{"data.attributes.contact_email", JSON_TEXT, false, offsetof(struct access_point, email)},
	{"data.attributes.contact_info", JSON_TEXT, false, offsetof(struct access_point, info)},
	{"data.attributes.department", JSON_TEXT, false, offsetof(struct access_point, department)},
	{"data.attributes.description", JSON_TEXT, false,
	 offsetof(struct access_point, description)},
	{"data.attributes.info_link", JSON_TEXT, false, offsetof(struct access_point, link)},
	{"data.attributes.organization", JSON_TEXT, false,
	 offsetof(struct access_point, organization)},
	{"data.relationships.host_endpoint.data.id", JSON_UUID, false,
	 offsetof(struct access_point, endpoint)},
};

int transfer_request(struct cli *cli, const char *method, const char *path, cJSON *body,
		     const char *what, const char *next, cJSON **answer)
{
	cleanup_free char *base = cli_service_url(cli, "TRANSFER"), *url = NULL;
	int err = -1;
	if (base && asprintf(&url, "%s%s", base, path) >= 0) {
		struct call call = {
			SERVICE, TRANSFER_SERVER, TRANSFER_SCOPE, method, what, next, url, body};
		err = call_json(cli, &call, answer);
	} else {
		url = NULL;
		if (base)
			failure_memory(&cli->failure);
	}
	cJSON_Delete(body);
	return err;
}

/* The tunnel in an answer, which is taken over. id: the one requested, or NULL. */
static int take_tunnel(struct cli *cli, cJSON *answer, const char *id, struct tunnel *tunnel)
{
	const char *at;
	*tunnel = (struct tunnel){.document = answer};
	if (json_read(json_at(answer, "data"), tunnel_fields, COUNT(tunnel_fields), tunnel, &at) ==
	    0) {
		if (!id || strcasecmp(id, tunnel->id) == 0)
			return 0;
		at = "id";
	}
	call_lacks(cli, SERVICE, "the tunnel", at);
	tunnel_finish(tunnel);
	return -1;
}

void tunnel_finish(struct tunnel *tunnel)
{
	cJSON_Delete(tunnel->document);
	*tunnel = (struct tunnel){0};
}

static int tunnel_request(struct cli *cli, const char *method, const char *id, cJSON *body,
			  cJSON **answer)
{
	char path[128], what[64];
	snprintf(path, sizeof(path), "/v2/tunnels/%s", id);
	snprintf(what, sizeof(what), "tunnel %s", id);
	return transfer_request(cli, method, path, body, what,
				"check the id with: globus-streams tunnel list", answer);
}

int transfer_tunnel(struct cli *cli, const char *id, struct tunnel *tunnel)
{
	cJSON *answer;
	*tunnel = (struct tunnel){0};
	if (tunnel_request(cli, "GET", id, NULL, &answer) < 0)
		return -1;
	return take_tunnel(cli, answer, id, tunnel);
}

int transfer_change(struct cli *cli, const char *id, cJSON *attributes, struct tunnel *tunnel)
{
	cJSON *answer, *body = cJSON_CreateObject();
	cJSON *data = cJSON_AddObjectToObject(body, "data");
	*tunnel = (struct tunnel){0};
	if (!attributes || !cJSON_AddStringToObject(data, "type", "Tunnel") ||
	    !cJSON_AddItemToObject(data, "attributes", attributes)) {
		cJSON_Delete(attributes);
		cJSON_Delete(body);
		return failure_memory(&cli->failure);
	}
	if (tunnel_request(cli, "PATCH", id, body, &answer) < 0)
		return -1;
	return take_tunnel(cli, answer, id, tunnel);
}

int transfer_delete(struct cli *cli, const char *id)
{
	cJSON *answer;
	int err = tunnel_request(cli, "DELETE", id, NULL, &answer);
	/* Gone at a retry: an earlier try deleted it, and its answer was lost. */
	if (err && cli->failure.http == 404 && cli->tries > 1) {
		failure_finish(&cli->failure);
		return 0;
	}
	if (err)
		return -1;
	cJSON_Delete(answer);
	return 0;
}

static bool random_uuid(char text[UUID_TEXT + 1])
{
	uint8_t bytes[UUID_BYTES];
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return false;
	bytes[6] = (bytes[6] & 0x0f) | 0x40; /* RFC 9562: version 4, variant 10 */
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	uuid_format(bytes, text);
	return true;
}

static bool add_relation(cJSON *relations, const char *name, const char *id)
{
	cJSON *data = cJSON_AddObjectToObject(cJSON_AddObjectToObject(relations, name), "data");
	return cJSON_AddStringToObject(data, "type", "StreamAccessPoint") &&
	       cJSON_AddStringToObject(data, "id", id);
}

static bool add_listener(cJSON *attributes, const char *host, uint16_t port)
{
	return cJSON_AddStringToObject(attributes, "listener_ip_address", host) &&
	       cJSON_AddNumberToObject(attributes, "listener_port", port);
}

static bool fill(cJSON *body, const struct tunnel_wish *wish)
{
	char submission[UUID_TEXT + 1];
	cJSON *data = cJSON_AddObjectToObject(body, "data");
	bool ok = random_uuid(submission) && cJSON_AddStringToObject(data, "type", "Tunnel");
	cJSON *attributes = cJSON_AddObjectToObject(data, "attributes");
	ok = ok && cJSON_AddStringToObject(attributes, "submission_id", submission);
	if (wish->label)
		ok = ok && cJSON_AddStringToObject(attributes, "label", wish->label);
	if (wish->lifetime_mins)
		ok = ok && cJSON_AddNumberToObject(attributes, "lifetime_mins",
						   (double)wish->lifetime_mins);
	if (wish->restartable)
		ok = ok && cJSON_AddTrueToObject(attributes, "restartable");
	if (wish->listener)
		ok = ok && add_listener(attributes, wish->listener->host, wish->listener->port);
	cJSON *relations = cJSON_AddObjectToObject(data, "relationships");
	return ok && add_relation(relations, "initiator", wish->initiator_ap) &&
	       add_relation(relations, "listener", wish->listener_ap);
}

int transfer_create(struct cli *cli, const struct tunnel_wish *wish, struct tunnel *tunnel)
{
	cJSON *answer, *body = cJSON_CreateObject();
	char what[128];
	*tunnel = (struct tunnel){0};
	snprintf(what, sizeof(what), "a tunnel between access points %s and %s", wish->initiator_ap,
		 wish->listener_ap);
	if (!fill(body, wish)) {
		cJSON_Delete(body);
		return failure_memory(&cli->failure);
	}
	if (transfer_request(cli, "POST", "/v2/tunnels", body, what,
			     "check the access points with: globus-streams access-point list",
			     &answer) < 0)
		return -1;
	return take_tunnel(cli, answer, NULL, tunnel);
}

int transfer_access_point(struct cli *cli, const char *id, struct access_point *point)
{
	char path[128], what[64];
	const char *at;
	*point = (struct access_point){0};
	snprintf(path, sizeof(path), "/v2/stream_access_points/%s", id);
	snprintf(what, sizeof(what), "access point %s", id);
	if (transfer_request(cli, "GET", path, NULL, what,
			     "check the id with: globus-streams access-point list",
			     &point->document) < 0)
		return -1;
	point->data = json_at(point->document, "data");
	if (json_read(point->document, access_point_fields, COUNT(access_point_fields), point,
		      &at) == 0)
		return 0;
	access_point_finish(point);
	return call_lacks(cli, SERVICE, what, at);
}

void access_point_finish(struct access_point *point)
{
	cJSON_Delete(point->document);
	*point = (struct access_point){0};
}

int transfer_manager_url(struct cli *cli, const char *endpoint, char **url)
{
	char path[128], what[64];
	cJSON *answer;
	*url = NULL;
	snprintf(path, sizeof(path), "/v0.10/endpoint/%s", endpoint);
	snprintf(what, sizeof(what), "endpoint %s", endpoint);
	if (transfer_request(cli, "GET", path, NULL, what, NULL, &answer) < 0)
		return -1;
	const char *found = json_text(answer, "gcs_manager_url");
	cleanup_free char *base = cli_service_url(cli, "TRANSFER");
	/* A token is sent over plain HTTP only if Transfer itself is used over plain HTTP. */
	bool clear = base && strncasecmp(base, "http://", 7) == 0;
	if (found && (strncasecmp(found, "https://", 8) == 0 ||
		      (clear && strncasecmp(found, "http://", 7) == 0)))
		*url = strdup(found);
	cJSON_Delete(answer);
	if (!*url)
		return call_lacks(cli, SERVICE, what, "gcs_manager_url");
	size_t len = strlen(*url);
	while ((*url)[len - 1] == '/')
		(*url)[--len] = '\0';
	return 0;
}

cJSON *transfer_listener(const char *host, uint16_t port)
{
	cJSON *attributes = cJSON_CreateObject();
	if (add_listener(attributes, host, port))
		return attributes;
	cJSON_Delete(attributes);
	return NULL;
}
