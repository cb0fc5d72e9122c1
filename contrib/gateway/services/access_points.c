#include <stdio.h>
#include <string.h>

#include "contrib/gateway/services/answer.h"
#include "contrib/gateway/services/handlers.h"
#include "contrib/gateway/services/pages.h"
#include "contrib/gateway/services/tunnel_json.h"

/* /v2/stream_access_points, and the endpoints that host them at /v0.10/endpoint. */

static const char *const always_null[] = {"advertised_owner", "contact_email", "contact_info",
					  "department",       "info_link",     "keywords"};

static cJSON *attributes(const struct gateway *gateway, const struct request *request,
			 const struct access_point *ap)
{
	cJSON *json = cJSON_CreateObject();
	char base[BASE_URL_MAX], server[BASE_URL_MAX + 8];

	request_base_url(gateway, request, base);
	snprintf(server, sizeof(server), "tlsftp%s", base + strlen("http"));
	cJSON_AddStringToObject(json, "display_name", ap->display_name);
	cJSON_AddStringToObject(json, "tlsftp_server", server);
	cJSON_AddStringToObject(json, "description",
				"A stream access point of globus-streams-gateway");
	cJSON_AddStringToObject(json, "organization", "globus-streams");
	for (size_t i = 0; i < sizeof(always_null) / sizeof(*always_null); i++)
		cJSON_AddNullToObject(json, always_null[i]);
	return json;
}

static cJSON *access_point_json(const struct gateway *gateway, const struct request *request,
				const struct access_point *ap)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "type", "StreamAccessPoint");
	cJSON_AddStringToObject(json, "id", ap->id);
	cJSON_AddItemToObject(json, "attributes", attributes(gateway, request, ap));
	cJSON_AddItemToObject(cJSON_AddObjectToObject(json, "relationships"), "host_endpoint",
			      relationship_json("Endpoint", ap->endpoint));
	return json;
}

/* filter[fulltext]: each of its words is in the name, the id, or the organization. */
static bool is_wanted(const struct request *request, const struct access_point *ap)
{
	const char *text = request_query(request, "filter[fulltext]");
	char all[256], word[64];

	snprintf(all, sizeof(all), "%s %s globus-streams", ap->display_name, ap->id);
	for (text = text ? text : ""; *text; text += strspn(text, " ")) {
		size_t len = strcspn(text, " ");

		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		if (!strcasestr(all, word))
			return false;
		text += len;
	}
	return true;
}

struct answer access_points_list(struct gateway *gateway, const struct request *request)
{
	struct page page;
	struct answer answer;
	cJSON *data;

	/* whoever may ask administers both endpoints */
	if (!page_read(request, &page, &answer) ||
	    !filter_check(request, "filter[endpoint_admin]", &answer))
		return answer;
	data = cJSON_CreateArray();
	for (size_t i = 0; i < STORE_APS; i++) {
		const struct access_point *ap = &gateway->store.access_points[i];

		if (is_wanted(request, ap))
			cJSON_AddItemToArray(data, access_point_json(gateway, request, ap));
	}
	return page_answer(gateway, request, &page, data);
}

struct answer access_points_show(struct gateway *gateway, const struct request *request)
{
	const struct access_point *ap = store_access_point(&gateway->store, request->parts[0]);

	if (!ap)
		return answer_error(request, 404, "NotFound",
				    "There is no such stream access point");
	return answer_data(200, access_point_json(gateway, request, ap));
}

struct answer endpoint_show(struct gateway *gateway, const struct request *request)
{
	const struct access_point *ap =
		store_access_point_of_endpoint(&gateway->store, request->parts[0]);
	char base[BASE_URL_MAX], url[BASE_URL_MAX + UUID_TEXT + 8];
	cJSON *json;

	if (!ap)
		return answer_error(request, 404, "EndpointNotFound", "There is no such endpoint");
	request_base_url(gateway, request, base);
	snprintf(url, sizeof(url), "%s/gcs/%s", base, ap->endpoint);
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "DATA_TYPE", "endpoint");
	cJSON_AddStringToObject(json, "id", ap->endpoint);
	cJSON_AddStringToObject(json, "display_name", ap->display_name);
	cJSON_AddStringToObject(json, "entity_type", "GCSv5_endpoint");
	cJSON_AddStringToObject(json, "owner_id", gateway->store.user.id);
	cJSON_AddStringToObject(json, "gcs_manager_url", url);
	cJSON_AddStringToObject(json, "gcs_version", "5.4.0");
	cJSON_AddNullToObject(json, "tlsftp_server");
	return answer_json(200, json);
}
