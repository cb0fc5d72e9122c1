#include "cli/command/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/base/text.h"
#include "cli/service/json.h"

/* "404=50": 0 or -1. */
static int take_pair(struct status_map *map, const char *pair)
{
	char http[8];
	long long from, to;
	const char *equals = strchr(pair, '=');
	if (!equals || (size_t)(equals - pair) >= sizeof(http))
		return -1;
	snprintf(http, sizeof(http), "%.*s", (int)(equals - pair), pair);
	if (options_number(http, HTTP_STATUS_MIN, HTTP_STATUS_MAX, &from) < 0 ||
	    options_number(equals + 1, 0, 99, &to) < 0 || (to > 1 && to < 50))
		return -1;
	map->to[from] = (signed char)to;
	return 0;
}

/* Pairs separated by commas; blanks beside them, and empty ones, do not count. */
static int take_pairs(struct status_map *map, char *pairs)
{
	char *rest = pairs;
	for (char *pair; (pair = strsep(&rest, ","));) {
		pair += strspn(pair, " \t");
		size_t len = strlen(pair);
		while (len && strchr(" \t", pair[len - 1]))
			pair[--len] = '\0';
		if (len && take_pair(map, pair) < 0)
			return -1;
	}
	return 0;
}

int status_map_init(struct status_map *map, struct cli *cli, const struct option_list *given)
{
	memset(map->to, -1, sizeof(map->to));
	for (size_t i = 0; i < given->count; i++) {
		cleanup_free char *pairs = strdup(given->items[i]);
		if (!pairs)
			return failure_memory(&cli->failure);
		if (take_pairs(map, pairs) < 0)
			return failure_set(
				&cli->failure, STATUS_USAGE,
				"--map-http-status takes HTTP=EXIT,..., each HTTP status "
				"with an exit status of 0, 1 or 50 to 99, not '" TEXT_WORD "'",
				given->items[i]);
	}
	return 0;
}

int status_map_apply(const struct status_map *map, const struct cli *cli)
{
	long http = cli->failure.http;
	if (http >= HTTP_STATUS_MIN && http <= HTTP_STATUS_MAX && map->to[http] >= 0)
		return map->to[http];
	return cli->failure.status;
}

static const char *name_of(const struct failure *failure)
{
	if (failure->status == STATUS_USAGE)
		return "UsageError";
	return failure->status == STATUS_LOGIN ? "LoginRequired" : "CommandError";
}

void report_json(const struct cli *cli, int exit_status)
{
	const struct failure *failure = &cli->failure;
	const char *answer = failure->http ? failure->answer : NULL;
	cJSON *document = answer ? json_parse(answer, strlen(answer)) : NULL;
	bool theirs = cJSON_IsObject(document);
	if (!theirs) {
		cJSON_Delete(document);
		document = cJSON_CreateObject();
	}
	cleanup_free char *message = strdup(failure->text ? failure->text : "out of memory");
	if (message)
		text_clean(message);
	if (!theirs) {
		cJSON_AddStringToObject(document, "error_name", name_of(failure));
		cJSON_AddStringToObject(document, "message", message ? message : "");
	}
	cJSON_DeleteItemFromObjectCaseSensitive(document, "globus_streams");
	cJSON *ours = cJSON_AddObjectToObject(document, "globus_streams");
	cJSON_AddStringToObject(ours, "message", message ? message : "");
	cJSON_AddNumberToObject(ours, "exit_status", exit_status);
	if (failure->http)
		cJSON_AddNumberToObject(ours, "http_status", (double)failure->http);
	else
		cJSON_AddNullToObject(ours, "http_status");
	if (cli->reported)
		cJSON_AddItemReferenceToObject(ours, "errors", cli->reported);
	json_print(document, true, stderr);
	putc('\n', stderr);
	cJSON_Delete(document);
}
