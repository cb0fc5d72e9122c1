#include <stdio.h>
#include <string.h>

#include "contrib/gateway/services/answer.h"
#include "contrib/gateway/services/body.h"
#include "contrib/gateway/services/handlers.h"

/* …/api/lan_secrets of an endpoint's GCS Manager. */

#define CREATE_TYPE      "lan_secret_create#1.0.0"
#define EXPIRES_MINS_MAX (366 * 24 * 60)

static cJSON *secret_json(const struct gateway *gateway, const struct tunnel *tunnel,
			  const struct secret *secret)
{
	const struct identity *owner = store_identity(&gateway->store, secret->owner);
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "DATA_TYPE", "lan_secret#1.0.0");
	cJSON_AddStringToObject(json, "id", secret->id);
	cJSON_AddStringToObject(json, "secret", secret->key);
	cJSON_AddNumberToObject(json, "expires", (double)secret->expires);
	cJSON_AddStringToObject(json, "tunnel_id", tunnel->id);
	cJSON_AddStringToObject(json, "stream_access_point_id", secret->access_point);
	cJSON_AddStringToObject(json, "identity_id", secret->owner);
	cJSON_AddStringToObject(json, "username", owner ? owner->username : "");
	return json;
}

struct wanted {
	uuid_text tunnel, access_point;
	int64_t expires_in_mins; /* 0: as long as the tunnel */
};

static struct answer create(struct gateway *gateway, const struct request *request,
			    const struct wanted *wanted)
{
	struct tunnel *tunnel = store_tunnel(&gateway->store, wanted->tunnel);
	const struct access_point *ap = store_access_point(&gateway->store, wanted->access_point);
	struct secret *secret;
	int64_t expires;

	if (!tunnel)
		return answer_error(request, 404, "NotFound", "There is no such tunnel");
	if (!ap || strcmp(ap->endpoint, request->parts[0]) != 0)
		return answer_error(request, 404, "NotFound",
				    "This endpoint does not host that stream access point");
	if (strcmp(tunnel->access_point[SIDE_INITIATOR], ap->id) != 0 &&
	    strcmp(tunnel->access_point[SIDE_LISTENER], ap->id) != 0)
		return answer_error(request, 404, "NotFound",
				    "The tunnel does not use that stream access point");
	if (tunnel->state == TUNNEL_STOPPED)
		return answer_error(request, 409, "Conflict", "The tunnel has been stopped");
	secret = tunnel_add_secret(&gateway->store, tunnel, ap->id);
	if (!secret)
		return answer_error(request, 409, "LimitExceeded",
				    "The tunnel has too many LAN secrets");
	expires = epoch_now() + wanted->expires_in_mins * 60;
	secret->expires = wanted->expires_in_mins && expires < tunnel_expires(tunnel)
				  ? expires
				  : tunnel_expires(tunnel);
	strcpy(secret->owner, request->token->identity);
	return answer_envelope(201, "success", "The LAN secret was created",
			       secret_json(gateway, tunnel, secret));
}

/* What is wrong with the body, as an envelope: the words of the first error. */
static struct answer bad_body(const struct request *request, const struct body *body)
{
	cJSON *error = cJSON_GetArrayItem(body->errors, 0), *where, *field;
	char message[160];

	where = cJSON_GetObjectItem(error, "loc");
	field = cJSON_GetArrayItem(where, cJSON_GetArraySize(where) - 1);
	snprintf(message, sizeof(message), "%s: %s", cJSON_GetStringValue(field),
		 cJSON_GetStringValue(cJSON_GetObjectItem(error, "msg")));
	return answer_error(request, 422, "UnprocessableEntity", message);
}

struct answer lan_secrets_create(struct gateway *gateway, const struct request *request)
{
	struct wanted wanted = {0};
	struct answer answer;
	struct body body;

	body_init(&body, request);
	body_constant(&body, "DATA_TYPE", CREATE_TYPE);
	body_uuid(&body, "tunnel_id", REQUIRED, wanted.tunnel);
	body_uuid(&body, "stream_access_point_id", REQUIRED, wanted.access_point);
	body_number(&body, "expires_in_mins", OPTIONAL, 1, EXPIRES_MINS_MAX,
		    &wanted.expires_in_mins);
	answer = body_failed(&body) ? bad_body(request, &body) : create(gateway, request, &wanted);
	body_finish(&body);
	return answer;
}

struct answer lan_secrets_delete(struct gateway *gateway, const struct request *request)
{
	const struct access_point *ap =
		store_access_point_of_endpoint(&gateway->store, request->parts[0]);
	struct tunnel *tunnel;
	struct secret *secret =
		store_secret(&gateway->store, ap ? ap->id : "", request->parts[1], &tunnel);

	if (!secret)
		return answer_error(request, 404, "NotFound", "There is no such LAN secret");
	if (strcmp(secret->owner, request->token->identity) != 0)
		return answer_error(request, 403, "PermissionDenied",
				    "The LAN secret belongs to another user");
	tunnel_remove_secret(&gateway->store, tunnel, secret);
	return answer_envelope(200, "success", "The LAN secret was deleted", NULL);
}
