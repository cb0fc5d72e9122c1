#include "cli/service/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/base/file.h"
#include "cli/base/profile.h"
#include "cli/base/say.h"
#include "cli/service/json.h"
#include "protocol/contact.h"

#define FILE_NAME "client.json"
#define FILE_MAX  65536

/* The ids by Auth's base URL: an object, empty if the file does not exist or is not valid. NULL
 * with failure if it is unreadable, or others may write it. */
static cJSON *load(const char *path, struct failure *failure)
{
	char *text = NULL;
	size_t len = 0;
	int err = file_read_private(path, FILE_MAX, &text, &len);
	if (err == -ENOENT || err == -ENOTDIR)
		return cJSON_CreateObject();
	if (err == -EPERM)
		failure_set(failure, STATUS_FAILED,
			    "%s holds your client id, and other users own it or may read or write "
			    "it; restrict it with chmod 600, or remove it",
			    path);
	else if (err)
		failure_set(failure, STATUS_FAILED, "cannot read %s: %s", path, strerror(-err));
	if (err)
		return NULL;
	cJSON *document = json_parse(text, len);
	cJSON *clients = cJSON_DetachItemFromObjectCaseSensitive(document, "clients");
	file_wipe(text, len);
	cJSON_Delete(document);
	if (cJSON_IsObject(clients))
		return clients;
	say_warning("%s has no client ids; ignoring it", path);
	cJSON_Delete(clients);
	return cJSON_CreateObject();
}

/* What is remembered, in id; "" if nothing is. 0, or -1 with cli->failure. */
static int recall(struct cli *cli, char id[37])
{
	uint8_t bytes[UUID_BYTES];
	cleanup_free char *issuer = cli_service_url(cli, "AUTH");
	cleanup_free char *path =
		issuer ? profile_path(cli->profile, FILE_NAME, NULL, &cli->failure) : NULL;
	cJSON *clients = path ? load(path, &cli->failure) : NULL;
	if (!clients)
		return -1;
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(clients, issuer));
	id[0] = '\0';
	if (text && uuid_parse(text, bytes) == 0)
		uuid_format(bytes, id);
	else if (text)
		say_warning("%s has an id for %s that is not a UUID; ignoring it", path, issuer);
	cJSON_Delete(clients);
	return 0;
}

static int none(struct cli *cli)
{
	return failure_set(&cli->failure, STATUS_LOGIN,
			   "not logged in%s%s: no client id is known; run: %s (which explains how "
			   "to get one)",
			   cli->profile ? " with profile " : "", cli->profile ? cli->profile : "",
			   cli_login_command(cli));
}

/* Look for the id: cli->client and its source. 0, or -1 with cli->failure. */
static int find(struct cli *cli)
{
	const char *given = getenv("GLOBUS_STREAMS_CLIENT_ID");
	if (given && *given) {
		if (cli_uuid(cli, "a client's", given, cli->client) < 0)
			return failure_prefix(&cli->failure, "GLOBUS_STREAMS_CLIENT_ID: ");
		cli->client_source = "GLOBUS_STREAMS_CLIENT_ID";
		return 0;
	}
	if (recall(cli, cli->client) < 0)
		return -1;
	if (cli->client[0]) {
		cli->client_source = CLIENT_REMEMBERED;
	} else if (GS_CLIENT_ID[0]) {
		snprintf(cli->client, sizeof(cli->client), "%s", GS_CLIENT_ID);
		cli->client_source = "build";
	}
	return cli->client_source ? 0 : none(cli);
}

int client_choose(struct cli *cli, struct credentials *credentials)
{
	if (!cli->client_source && find(cli) < 0)
		return -1;
	*credentials = (struct credentials){.client = cli->client, .source = cli->client_source};
	return 0;
}

static char *format(cJSON *clients)
{
	cJSON *document = cJSON_CreateObject();
	char *text = NULL;
	if (cJSON_AddNumberToObject(document, "version", 1) &&
	    cJSON_AddItemReferenceToObject(document, "clients", clients))
		text = cJSON_Print(document);
	cJSON_Delete(document);
	return text;
}

int client_remember(const struct cli *cli, const char *issuer, const char *id,
		    struct failure *failure)
{
	cleanup_free char *folder = NULL, *text = NULL;
	cleanup_free char *path = profile_path(cli->profile, FILE_NAME, &folder, failure);
	cJSON *clients = path ? load(path, failure) : NULL;
	if (!clients)
		return -1;
	cJSON_DeleteItemFromObjectCaseSensitive(clients, issuer);
	if (cJSON_AddStringToObject(clients, issuer, id))
		text = format(clients);
	cJSON_Delete(clients);
	if (!text)
		return failure_memory(failure);
	int err = file_make_folder(folder);
	if (!err) {
		file_sweep(path);
		err = file_replace(path, text, strlen(text));
	}
	return err ? failure_set(failure, STATUS_FAILED, "cannot write %s: %s", path,
				 strerror(-err))
		   : 0;
}
