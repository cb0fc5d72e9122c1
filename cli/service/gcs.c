#include "cli/service/gcs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/service/auth.h"
#include "cli/service/call.h"
#include "cli/service/json.h"
#include "cli/service/transfer.h"
#include "protocol/contact.h"
#include "protocol/lan_auth.h"

/* What a request gives: data[0] of the envelope. */
struct answer {
	const char *secret, *id;
};

static const struct json_field fields[] = {
	{"secret", JSON_TEXT, true, offsetof(struct answer, secret)},
	{"id", JSON_UUID, true, offsetof(struct answer, id)},
};

/* Make a request to <manager>/api<path>. */
static int request(struct cli *cli, const char *endpoint, const char *method, const char *path,
		   const cJSON *body, const char *what, cJSON **answer)
{
	cleanup_free char *manager = NULL, *url = NULL, *service = NULL, *scope = NULL;
	if (transfer_manager_url(cli, endpoint, &manager) < 0)
		return -1;
	scope = auth_endpoint_scope(endpoint);
	if (!scope || asprintf(&url, "%s/api%s", manager, path) < 0 ||
	    asprintf(&service, "the GCS Manager of endpoint %s", endpoint) < 0)
		return failure_memory(&cli->failure);
	struct call call = {service, endpoint, scope, method, what, NULL, url, body};
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
	*secret = (struct lan_secret){0};
	bool made = cJSON_AddStringToObject(body, "DATA_TYPE", "lan_secret_create#1.0.0") &&
		    cJSON_AddStringToObject(body, "tunnel_id", tunnel) &&
		    cJSON_AddStringToObject(body, "stream_access_point_id", access_point);
	int err =
		made ? request(cli, endpoint, "POST", "/lan_secrets", body, "a LAN secret", &answer)
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
	snprintf(path, sizeof(path), "/lan_secrets/%s", id);
	snprintf(what, sizeof(what), "LAN secret %s", id);
	int err = request(cli, endpoint, "DELETE", path, NULL, what, &answer);
	json_wipe(answer);
	if (err && cli->failure.http == 404) {
		failure_finish(&cli->failure);
		return 0;
	}
	return err;
}

void lan_secret_finish(struct lan_secret *secret)
{
	if (secret->secret)
		explicit_bzero(secret->secret, strlen(secret->secret));
	free(secret->secret);
	*secret = (struct lan_secret){0};
}
