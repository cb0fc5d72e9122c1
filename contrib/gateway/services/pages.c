#include "contrib/gateway/services/pages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "contrib/gateway/services/answer.h"
#include "contrib/gateway/services/body.h"
#include "contrib/gateway/services/form.h"

#define QUERY_MAX 1024

static bool read_number(const struct request *request, const char *name, size_t min, size_t max,
			size_t *number, struct answer *answer)
{
	const char *text = request_query(request, name);
	unsigned long value;
	char *end;

	if (!text)
		return true;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min || value > max) {
		*answer = body_answer_elsewhere("query", name, "int_parsing",
						"Input should be a number in the range");
		return false;
	}
	*number = value;
	return true;
}

bool page_read(const struct request *request, struct page *page, struct answer *answer)
{
	*page = (struct page){.limit = PAGE_DEFAULT};
	return read_number(request, "page[limit]", 1, PAGE_MAX, &page->limit, answer) &&
	       read_number(request, "page[marker]", 0, STORE_TUNNELS_MAX, &page->skip, answer);
}

bool filter_check(const struct request *request, const char *name, struct answer *answer)
{
	const char *text = request_query(request, name);

	if (!text || strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
		return true;
	*answer = body_answer_elsewhere("query", name, "bool_parsing",
					"Input should be a valid boolean");
	return false;
}

/* The filters of this request, so that the next page has them too. */
static void add_filters(const struct request *request, char *url, size_t size)
{
	static const char *const names[] = {"filter[fulltext]", "filter[endpoint_admin]",
					    "code_name", "is_error"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = request_query(request, names[i]);
		char encoded[QUERY_MAX / 2];
		size_t used = strlen(url);

		if (value && percent_encode(value, encoded, sizeof(encoded)) == 0)
			snprintf(url + used, size - used, "&%s=%s", names[i], encoded);
	}
}

static cJSON *next_link(const struct gateway *gateway, const struct request *request,
			const struct page *page)
{
	cJSON *links = cJSON_CreateObject();
	char base[BASE_URL_MAX], url[QUERY_MAX];

	request_base_url(gateway, request, base);
	snprintf(url, sizeof(url), "%s%s?page[marker]=%zu&page[limit]=%zu", base, request->path,
		 page->skip + page->limit, page->limit);
	add_filters(request, url, sizeof(url));
	cJSON_AddStringToObject(links, "next", url);
	return links;
}

struct answer page_answer(const struct gateway *gateway, const struct request *request,
			  const struct page *page, cJSON *data)
{
	cJSON *part = cJSON_CreateArray(), *item;
	struct answer answer;

	for (size_t i = 0; i < page->skip && cJSON_GetArraySize(data) > 0; i++)
		cJSON_DeleteItemFromArray(data, 0);
	for (size_t i = 0; i < page->limit && (item = cJSON_DetachItemFromArray(data, 0)); i++)
		cJSON_AddItemToArray(part, item);
	answer = answer_data(200, part);
	cJSON_AddItemToObject(answer.json, "links",
			      cJSON_GetArraySize(data) > 0 ? next_link(gateway, request, page)
							   : cJSON_CreateNull());
	cJSON_Delete(data);
	return answer;
}
