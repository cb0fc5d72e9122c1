#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/command/command.h"
#include "cli/service/auth.h"
#include "cli/service/call.h"
#include "cli/service/json.h"
#include "cli/service/output.h"
#include "cli/service/table.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

struct values {
	bool linked;
};

static const struct option_spec options[] = {
	{0, "linked-identities", NULL, "list all identities that are linked", OPTION_FLAG,
	 offsetof(struct values, linked)},
	{0},
};

struct user {
	const char *id, *username, *name, *email;
};

static const struct json_field user_fields[] = {
	{"sub", JSON_TEXT, true, offsetof(struct user, id)},
	{"preferred_username", JSON_TEXT, true, offsetof(struct user, username)},
	{"name", JSON_TEXT, false, offsetof(struct user, name)},
	{"email", JSON_TEXT, false, offsetof(struct user, email)},
};

static const struct json_field identity_fields[] = {
	{"sub", JSON_TEXT, true, offsetof(struct user, id)},
	{"username", JSON_TEXT, true, offsetof(struct user, username)},
	{"name", JSON_TEXT, false, offsetof(struct user, name)},
	{"email", JSON_TEXT, false, offsetof(struct user, email)},
};

static const char *kind_of(const struct credentials *credentials)
{
	return credentials->secret ? "service account" : "user";
}

/* The service's document, with the login that is in use. */
static int print_json(struct cli *cli, const struct credentials *credentials, cJSON *answer)
{
	cJSON_DeleteItemFromObjectCaseSensitive(answer, "login");
	cJSON *login = cJSON_AddObjectToObject(answer, "login");
	cJSON *profile = cli->profile ? cJSON_CreateString(cli->profile) : cJSON_CreateNull();
	if (!cJSON_AddItemToObject(login, "profile", profile) ||
	    !cJSON_AddStringToObject(login, "kind", kind_of(credentials)) ||
	    !cJSON_AddStringToObject(login, "client_id", credentials->client) ||
	    !cJSON_AddStringToObject(login, "client_id_from", credentials->source))
		return failure_memory(&cli->failure);
	output_json(answer);
	return 0;
}

static int print(struct cli *cli, const struct credentials *credentials, cJSON *answer)
{
	struct user user = {0};
	const char *at;
	if (json_read(answer, user_fields, COUNT(user_fields), &user, &at) < 0)
		return call_lacks(cli, "Auth", "your identity", at);
	if (cli->json)
		return print_json(cli, credentials, answer);
	output_line("%s", user.username);
	if (!say_is_verbose())
		return 0;
	const struct output_field record[] = {
		{"Username", user.username},
		{"Name", user.name},
		{"ID", user.id},
		{"Email", user.email},
		{"Profile", cli->profile ? cli->profile : "(default)"},
		{"Login", kind_of(credentials)},
		{"Client ID", credentials->client},
		{"Client ID From", credentials->source},
	};
	output_record(record, COUNT(record));
	return 0;
}

static int print_table(struct cli *cli, const cJSON *identities)
{
	static const char *const heads[] = {"Username", "Name", "ID", "Email"};
	size_t rows = (size_t)cJSON_GetArraySize(identities), row = 0;
	cleanup_free const char **cells = calloc(rows + 1, sizeof(heads));
	const cJSON *item;
	if (!cells)
		return failure_memory(&cli->failure);
	cJSON_ArrayForEach(item, identities)
	{
		struct user user = {0};
		const char *at;
		if (json_read(item, identity_fields, COUNT(identity_fields), &user, &at) < 0)
			return call_lacks(cli, "Auth", "your linked identities", at);
		const char *const cell[] = {user.username, user.name, user.id, user.email};
		memcpy(cells + row++ * COUNT(heads), cell, sizeof(cell));
	}
	if (say_is_verbose())
		table_print(heads, COUNT(heads), cells, rows);
	else
		for (size_t i = 0; i < rows; i++)
			output_line("%s", cells[i * COUNT(heads)]);
	return 0;
}

static int print_linked(struct cli *cli, const struct credentials *credentials, const cJSON *answer)
{
	const cJSON *identities = json_at(answer, "identity_set");
	if (!identities && !credentials->secret)
		return failure_set(&cli->failure, STATUS_LOGIN,
				   "Auth does not name the linked identities: the login lacks the "
				   "consent for that; run: %s --scope '" IDENTITIES_SCOPE "'",
				   cli_login_command(cli));
	if (!cJSON_IsArray(identities))
		return call_lacks(cli, "Auth", "your linked identities", "identity_set");
	if (!cli->json)
		return print_table(cli, identities);
	output_json(identities);
	return 0;
}

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	struct credentials credentials;
	cleanup_free char *base = NULL, *url = NULL;
	cJSON *answer;
	/* whoami only reports: it asks for no login. */
	cli->asking = false;
	if (auth_credentials(cli, &credentials) < 0 || !(base = cli_service_url(cli, "AUTH")))
		return -1;
	if (asprintf(&url, "%s/v2/oauth2/userinfo", base) < 0) {
		url = NULL;
		return failure_memory(&cli->failure);
	}
	struct call call = {.service = "Auth",
			    .server = AUTH_SERVER,
			    .scope =
				    values->linked ? AUTH_SCOPES " " IDENTITIES_SCOPE : AUTH_SCOPES,
			    .method = "GET",
			    .what = "your identity",
			    .url = url};
	if (call_json(cli, &call, &answer) < 0)
		return -1;
	int err = values->linked ? print_linked(cli, &credentials, answer)
				 : print(cli, &credentials, answer);
	json_wipe(answer);
	return err;
}

const struct command whoami_command = {
	.name = "whoami",
	.summary = "print who is logged in",
	.about = "With -v or --format json also which login is used: its profile, its client id, "
		 "and whether it is a user or a service account.",
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
