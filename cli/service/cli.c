#include "cli/service/cli.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/base/cleanup.h"
#include "cli/base/profile.h"
#include "cli/base/say.h"
#include "cli/base/text.h"
#include "cli/service/json.h"
#include "protocol/contact.h"

struct http *cli_http(struct cli *cli)
{
	if (!cli->http)
		cli->http = http_create(&cli->failure);
	return cli->http;
}

/* https://<service>.<domain> in the other environments that Globus has. */
static char *default_url(struct cli *cli, const char *service)
{
	const char *environment = getenv("GLOBUS_SDK_ENVIRONMENT");
	char *url = NULL;
	int n;
	if (!environment || !*environment || strcmp(environment, "production") == 0)
		n = asprintf(&url, "https://%s.globus.org", service);
	else if (strcmp(environment, "preview") == 0)
		n = asprintf(&url, "https://%s.preview.globus.org", service);
	else if (strspn(environment, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
		 strlen(environment))
		n = asprintf(&url, "https://%s.%s.globuscs.info", service, environment);
	else {
		failure_set(&cli->failure, STATUS_USAGE,
			    "GLOBUS_SDK_ENVIRONMENT is '" TEXT_WORD
			    "', which is not the name of an environment; unset it to use Globus's "
			    "production services",
			    environment);
		return NULL;
	}
	if (n < 0) {
		failure_memory(&cli->failure);
		return NULL;
	}
	return url;
}

char *cli_service_url(struct cli *cli, const char *name)
{
	char variable[64];
	snprintf(variable, sizeof(variable), "GLOBUS_SDK_SERVICE_URL_%s", name);
	const char *given = getenv(variable);
	if (!given || !*given)
		return default_url(cli, strcmp(name, "AUTH") == 0 ? "auth" : "transfer.api");
	if (strncasecmp(given, "https://", 8) != 0 && strncasecmp(given, "http://", 7) != 0) {
		failure_set(&cli->failure, STATUS_USAGE,
			    "%s is '" TEXT_WORD
			    "'; it must be a URL that begins with https:// (or http://)",
			    variable, given);
		return NULL;
	}
	const char *host = strstr(given, "://") + 3;
	size_t host_len = strcspn(host, "/?#");
	if (!host_len || memchr(host, '@', host_len)) {
		failure_set(&cli->failure, STATUS_USAGE,
			    "%s must be a URL with a host, and without a user name or password",
			    variable);
		return NULL;
	}
	char *url = strdup(given);
	if (!url) {
		failure_memory(&cli->failure);
		return NULL;
	}
	size_t len = strlen(url);
	while (url[len - 1] == '/')
		url[--len] = '\0';
	return url;
}

/* Where such an id can be found. */
static const char *where_listed(const char *what)
{
	if (strstr(what, "tunnel"))
		return "ids (not labels) are listed by: globus-streams tunnel list";
	if (strstr(what, "access point"))
		return "ids (not names) are listed by: globus-streams access-point list";
	if (strstr(what, "client"))
		return "it is shown with the app at https://app.globus.org/settings/developers";
	return "an access point's endpoint is shown by: globus-streams -F json access-point show";
}

int cli_uuid(struct cli *cli, const char *what, const char *text, char id[37])
{
	uint8_t bytes[UUID_BYTES];
	if (uuid_parse(text, bytes) < 0)
		return failure_set(&cli->failure, STATUS_USAGE,
				   "'" TEXT_WORD "' is not %s id, which is a UUID; %s", text, what,
				   where_listed(what));
	uuid_format(bytes, id);
	return 0;
}

const char *cli_login_command(const struct cli *cli)
{
	static char command[sizeof("globus-streams login --profile ") + PROFILE_NAME_MAX];
	snprintf(command, sizeof(command), "globus-streams login%s%s",
		 cli->profile ? " --profile " : "", cli->profile ? cli->profile : "");
	return command;
}

void cli_refused(struct cli *cli, long status, const cJSON *answer)
{
	/* A wrong path is answered with 404, too, but not with a list of errors. */
	cli->failure.gone = status == 404 && cJSON_IsArray(json_at(answer, "errors"));
	size_t len = 0;
	FILE *out = answer && cli->json_errors ? open_memstream(&cli->failure.answer, &len) : NULL;
	cli->failure.http = status;
	if (!out)
		return;
	json_print(answer, false, out);
	fclose(out);
}

void cli_report(struct cli *cli, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (!text)
		return;
	if (!cli->json_errors) {
		say_error("%s", text);
		return;
	}
	text_clean(text);
	if (!cli->reported)
		cli->reported = cJSON_CreateArray();
	cJSON_AddItemToArray(cli->reported, cJSON_CreateString(text));
}

void cli_finish(struct cli *cli)
{
	cJSON_Delete(cli->reported);
	free(cli->manager.url);
	http_destroy(cli->http);
	failure_finish(&cli->failure);
}
