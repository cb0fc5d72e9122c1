#include "cli/service/gcs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/base/cleanup.h"
#include "cli/service/auth.h"
#include "cli/service/call.h"
#include "cli/service/json.h"
#include "cli/service/transfer.h"
#include "protocol/contact.h"
#include "protocol/lan_auth.h"

#define GCS_LAN_FIELD "globus_streams_lan_auth" /* globus-streams-lan-auth(7) */

/* The result of a request: data[0] of the envelope. */
struct answer {
	const char *secret, *id;
};

static const struct json_field fields[] = {
	{"secret", JSON_TEXT, true, offsetof(struct answer, secret)},
	{"id", JSON_UUID, true, offsetof(struct answer, id)},
};

/* An endpoint's manager, which is asked for once; NULL with cli->failure. */
static const char *manager_url(struct cli *cli, const char *endpoint)
{
	if (cli->manager.url && strcmp(cli->manager.endpoint, endpoint) == 0)
		return cli->manager.url;
	free(cli->manager.url);
	snprintf(cli->manager.endpoint, sizeof(cli->manager.endpoint), "%s", endpoint);
	if (transfer_manager_url(cli, endpoint, &cli->manager.url) < 0)
		cli->manager.url = NULL;
	return cli->manager.url;
}

/* Make a request to <manager>/api<path>, with a token unless the path is open to everybody. next:
 * what to do if it is refused as wrong, or what it is about does not exist. */
static int request(struct cli *cli, const char *endpoint, const char *method, const char *path,
		   const cJSON *body, const char *what, const char *next, bool open, cJSON **answer)
{
	cleanup_free char *url = NULL, *service = NULL, *scope = NULL;
	const char *manager = manager_url(cli, endpoint);
	if (!manager)
		return -1;
	scope = open ? NULL : auth_endpoint_scope(endpoint);
	if ((!scope && !open) || asprintf(&url, "%s/api%s", manager, path) < 0 ||
	    asprintf(&service, "the GCS Manager of endpoint %s", endpoint) < 0)
		return failure_memory(&cli->failure);
	struct call call = {service, endpoint, scope, method, what, next, url, body, next};
	return call_json(cli, &call, answer);
}

/* It becomes a line of the conf file and an HMAC key. */
static bool is_secret(const char *text)
{
	size_t len = strlen(text);
	for (const char *at = text; *at; at++)
		if (iscntrl((unsigned char)*at))
			return false;
	return len > 0 && len <= LAN_AUTH_KEY_MAX && text[0] != ' ' && text[len - 1] != ' ';
}

static int take_secret(struct cli *cli, const cJSON *answer, struct lan_secret *secret)
{
	struct answer found = {0};
	const char *at = "data";
	const cJSON *list = json_at(answer, "data");
	const cJSON *first = cJSON_IsArray(list) ? list->child : NULL;
	if (!first || json_read(first, fields, 2, &found, &at) < 0 || !is_secret(found.secret))
		return call_lacks(cli, "GCS Manager", "the LAN secret", first ? at : "data");
	uint8_t bytes[UUID_BYTES];
	if (uuid_parse(found.id, bytes) == 0)
		uuid_format(bytes, secret->id);
	secret->secret = strdup(found.secret);
	return secret->secret ? 0 : failure_memory(&cli->failure);
}

int gcs_create_secret(struct cli *cli, const char *endpoint, const char *access_point,
		      const char *tunnel, struct lan_secret *secret)
{
	cJSON *answer = NULL, *body = cJSON_CreateObject();
	char what[160], next[256];
	*secret = (struct lan_secret){0};
	snprintf(what, sizeof(what), "a LAN secret for tunnel %s at access point %s", tunnel,
		 access_point);
	snprintf(next, sizeof(next),
		 "check that this is the endpoint of the access point with: globus-streams "
		 "access-point show %s",
		 access_point);
	bool made = cJSON_AddStringToObject(body, "DATA_TYPE", "lan_secret_create#1.0.0") &&
		    cJSON_AddStringToObject(body, "tunnel_id", tunnel) &&
		    cJSON_AddStringToObject(body, "stream_access_point_id", access_point);
	int err = made ? request(cli, endpoint, "POST", "/lan_secrets", body, what, next, false,
				 &answer)
		       : failure_memory(&cli->failure);
	cJSON_Delete(body);
	if (!err)
		err = take_secret(cli, answer, secret);
	json_wipe(answer);
	return err;
}

int gcs_delete_secret(struct cli *cli, const char *endpoint, const char *id)
{
	char path[128], what[64];
	cJSON *answer = NULL;
	/* That Transfer does not find the endpoint says nothing of the secret. */
	if (!manager_url(cli, endpoint))
		return -1;
	snprintf(path, sizeof(path), "/lan_secrets/%s", id);
	snprintf(what, sizeof(what), "LAN secret %s", id);
	int err = request(cli, endpoint, "DELETE", path, NULL, what, NULL, false, &answer);
	json_wipe(answer);
	if (err && cli->failure.http == 404) {
		failure_finish(&cli->failure);
		return 0;
	}
	return err;
}

/* data[0] of /info: the document about the manager itself. */
struct info {
	const char *type, *version, *endpoint;
};

static const struct json_field info_fields[] = {
	{"DATA_TYPE", JSON_TEXT, true, offsetof(struct info, type)},
	{"api_version", JSON_TEXT, true, offsetof(struct info, version)},
	{"endpoint_id", JSON_UUID, false, offsetof(struct info, endpoint)},
};

/* Whether a list of versions has ours. */
static bool has_version(const cJSON *versions)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, versions)
	{
		if (cJSON_IsString(item) && strcmp(item->valuestring, "v1") == 0)
			return true;
	}
	return false;
}

/* *ours: it says that it speaks our LAN authentication. */
static int read_info(struct cli *cli, const char *endpoint, const cJSON *answer, bool *ours)
{
	struct info info = {0};
	const char *at = "data";
	const cJSON *list = json_at(answer, "data");
	const cJSON *first = cJSON_IsArray(list) ? list->child : NULL;
	const char *code = json_text(answer, "code");
	if (!code || strcmp(code, "success") != 0)
		return call_lacks(cli, "GCS Manager", "itself", "code");
	if (!first || json_read(first, info_fields, 3, &info, &at) < 0)
		return call_lacks(cli, "GCS Manager", "itself", first ? at : "data");
	if (strncmp(info.type, "info#", 5) != 0)
		return call_lacks(cli, "GCS Manager", "itself", "DATA_TYPE");
	if (info.endpoint && strcasecmp(info.endpoint, endpoint) != 0)
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"the GCS Manager of endpoint %s says that it is that of endpoint "
			"%s; report this to the endpoint's administrator",
			endpoint, info.endpoint);
	const cJSON *versions = cJSON_GetObjectItemCaseSensitive(first, GCS_LAN_FIELD);
	*ours = versions != NULL;
	if (versions && !(cJSON_IsArray(versions) && has_version(versions)))
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"the GCS Manager of endpoint %s speaks other versions of our LAN "
			"authentication, and not v1; install the globus-streams that "
			"belongs to it",
			endpoint);
	return 0;
}

/* What the gateways of an endpoint require: that of this access point, else what all agree on. */
static enum lan_kind required(const cJSON *gateways, const char *access_point)
{
	const cJSON *item;
	bool yes = false, no = false, unsaid = !cJSON_IsArray(gateways);
	cJSON_ArrayForEach(item, gateways)
	{
		const cJSON *value = json_at(item, "lan_secret_required");
		const char *id = json_text(item, "id");
		if (id && strcasecmp(id, access_point) == 0 && cJSON_IsBool(value))
			return cJSON_IsTrue(value) ? LAN_REQUIRED : LAN_OPEN;
		yes = yes || cJSON_IsTrue(value);
		no = no || cJSON_IsFalse(value);
		unsaid = unsaid || !cJSON_IsBool(value);
	}
	return unsaid || yes == no ? LAN_UNKNOWN : yes ? LAN_REQUIRED : LAN_OPEN;
}

int gcs_lan_kind(struct cli *cli, const char *endpoint, const char *access_point,
		 enum lan_kind *kind, char **why)
{
	cJSON *answer = NULL;
	bool ours = false;
	*kind = LAN_UNKNOWN;
	*why = NULL;
	if (request(cli, endpoint, "GET", "/info", NULL, "information about itself", NULL, true,
		    &answer) < 0)
		return -1;
	int err = read_info(cli, endpoint, answer, &ours);
	json_wipe(answer);
	if (err || ours) {
		*kind = LAN_OURS;
		return err;
	}
	if (request(cli, endpoint, "GET", "/stream_gateways", NULL, "its stream gateways", NULL,
		    false, &answer) == 0) {
		/* What is on further pages might say something else. */
		*kind = cJSON_IsTrue(json_at(answer, "has_next_page"))
				? LAN_UNKNOWN
				: required(json_at(answer, "data"), access_point);
		json_wipe(answer);
		if (*kind == LAN_UNKNOWN)
			*why = strdup("its stream gateways do not say it");
	} else {
		int status = cli->failure.status;
		*why = cli->failure.text;
		cli->failure.text = NULL;
		failure_finish(&cli->failure);
		cli->failure.status = status == STATUS_LOGIN ? status : 0;
	}
	return *kind == LAN_UNKNOWN && !*why ? failure_memory(&cli->failure) : 0;
}

void lan_secret_finish(struct lan_secret *secret)
{
	if (secret->secret)
		explicit_bzero(secret->secret, strlen(secret->secret));
	free(secret->secret);
	*secret = (struct lan_secret){0};
}
