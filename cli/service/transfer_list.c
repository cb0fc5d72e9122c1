#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/cleanup.h"
#include "cli/service/call.h"
#include "cli/service/json.h"
#include "cli/service/transfer.h"

/* Lists come in pages, each of which names the next. */

#define PAGES_MAX    1000
#define ITEMS_MAX    100000
#define BYTES_MAX    (64 * 1024 * 1024) /* of all pages; in memory, several times that */
#define PATH_LONGEST 4096

struct pages {
	struct cli *cli;
	const char *what;
	char *paths[PAGES_MAX]; /* those requested, and the next one */
	size_t count, items, bytes;
	cJSON *list;
};

static int refuse(const struct pages *pages, const char *why)
{
	return failure_set(&pages->cli->failure, STATUS_FAILED,
			   "Transfer's list of %s cannot be read completely: %s; report it to "
			   "support@globus.org",
			   pages->what, why);
}

/* The path of the next page on the same service, from a path or a whole URL; NULL: it is
 * elsewhere, and the token is sent only to the service's own host. */
static const char *local_path(const char *next, const char *base)
{
	size_t len = strlen(base);
	if (*next != '/')
		next = strncmp(next, base, len) == 0 && next[len] == '/' ? next + len : NULL;
	for (const char *at = next; at && *at; at++)
		if (*at <= 0x20 || *at > 0x7e || at - next > PATH_LONGEST)
			return NULL;
	return next;
}

/* Append path to those requested. */
static int push(struct pages *pages, const char *path)
{
	for (size_t i = 0; i < pages->count; i++)
		if (strcmp(pages->paths[i], path) == 0)
			return refuse(pages, "its pages form a loop");
	if (pages->count == PAGES_MAX)
		return refuse(pages, "it has more than 1000 pages");
	char *copy = strdup(path);
	if (!copy)
		return failure_memory(&pages->cli->failure);
	pages->paths[pages->count++] = copy;
	return 0;
}

/* 1: there is a next page, and it is pushed; 0: that was the last; -1. */
static int push_next(struct pages *pages, const cJSON *answer)
{
	const cJSON *links = json_at(answer, "links"), *link = json_at(links, "next");
	cleanup_free char *base = cli_service_url(pages->cli, "TRANSFER");
	const char *next = json_text(cJSON_IsObject(link) ? link : links,
				     cJSON_IsObject(link) ? "href" : "next");
	if ((links && !cJSON_IsObject(links)) || (link && !next))
		return refuse(pages, "its link to the next page is not valid");
	if (!next || !*next)
		return 0;
	if (!base)
		return -1;
	const char *path = local_path(next, base);
	if (!path)
		return refuse(pages, "its next page is on another server");
	return push(pages, path) < 0 ? -1 : 1;
}

static int add(struct pages *pages, cJSON *answer)
{
	cJSON *page = cJSON_DetachItemFromObjectCaseSensitive(answer, "data");
	int err = cJSON_IsArray(page) ? 0 : call_lacks(pages->cli, "Transfer", pages->what, "data");
	pages->bytes += pages->cli->received;
	pages->items += err ? 0 : (size_t)cJSON_GetArraySize(page);
	if (!err && (pages->bytes > BYTES_MAX || pages->items > ITEMS_MAX))
		err = refuse(pages, "it is too long");
	while (!err && page->child)
		cJSON_AddItemToArray(pages->list, cJSON_DetachItemViaPointer(page, page->child));
	cJSON_Delete(page);
	return err;
}

/* Request the last of paths. Returns as push_next(). */
static int fetch(struct pages *pages)
{
	cJSON *answer;
	if (transfer_request(pages->cli, "GET", pages->paths[pages->count - 1], NULL, pages->what,
			     "check the id with: globus-streams tunnel list", &answer) < 0)
		return -1;
	int more = add(pages, answer) < 0 ? -1 : push_next(pages, answer);
	cJSON_Delete(answer);
	return more;
}

/* Push the first page. */
static int begin(struct pages *pages, const char *path, const char *const *filters)
{
	cleanup_free char *query = NULL, *whole = NULL;
	if (!cli_http(pages->cli))
		return -1;
	query = http_form(pages->cli->http, filters);
	if (!query || asprintf(&whole, "%s%s%s", path, *query ? "?" : "", query) < 0) {
		whole = NULL;
		return failure_memory(&pages->cli->failure);
	}
	return push(pages, whole);
}

int transfer_find(struct cli *cli, const char *path, const char *const *filters, const char *what,
		  cJSON **list)
{
	struct pages pages = {.cli = cli, .what = what, .list = cJSON_CreateArray()};
	int more = begin(&pages, path, filters) < 0 ? -1 : 1;
	while (more > 0)
		more = fetch(&pages);
	for (size_t i = 0; i < pages.count; i++)
		free(pages.paths[i]);
	*list = pages.list;
	if (more < 0) {
		cJSON_Delete(*list);
		*list = NULL;
	}
	return more;
}

int transfer_list(struct cli *cli, const char *path, const char *what, cJSON **list)
{
	static const char *const none[] = {NULL};
	return transfer_find(cli, path, none, what, list);
}
