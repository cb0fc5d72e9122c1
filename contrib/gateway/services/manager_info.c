#include "contrib/gateway/services/answer.h"
#include "contrib/gateway/services/handlers.h"

/* …/api/info and …/api/stream_gateways of an endpoint's GCS Manager: what it is, and what its
 * access point requires on the LAN. */

#define OUR_FIELD "globus_streams_lan_auth" /* globus-streams-lan-auth(7) */

struct answer manager_info(struct gateway *gateway, const struct request *request)
{
	const struct access_point *ap =
		store_access_point_of_endpoint(&gateway->store, request->parts[0]);
	static const char *const versions[] = {"v1"};
	cJSON *json;

	if (!ap)
		return answer_error(request, 404, "NotFound", "There is no such endpoint");
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "DATA_TYPE", "info#1.0.0");
	cJSON_AddStringToObject(json, "api_version", "1.29.0");
	cJSON_AddStringToObject(json, "manager_version", "5.4.0");
	cJSON_AddStringToObject(json, "client_id", ap->endpoint);
	cJSON_AddStringToObject(json, "endpoint_id", ap->endpoint);
	if (gateway->options->as_globus == AS_GLOBUS_NOT)
		cJSON_AddItemToObject(json, OUR_FIELD, cJSON_CreateStringArray(versions, 1));
	return answer_envelope(200, "success", "What this manager is", json);
}

struct answer stream_gateways_list(struct gateway *gateway, const struct request *request)
{
	const struct access_point *ap =
		store_access_point_of_endpoint(&gateway->store, request->parts[0]);
	cJSON *json;

	if (gateway->options->as_globus == AS_GLOBUS_SILENT)
		return answer_error(request, 403, "PermissionDenied",
				    "You have no role on this endpoint");
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "DATA_TYPE", "stream_gateway#1.0.0");
	cJSON_AddStringToObject(json, "id", ap->id);
	cJSON_AddStringToObject(json, "display_name", ap->display_name);
	cJSON_AddStringToObject(json, "lan_name", "lan");
	cJSON_AddBoolToObject(json, "lan_secret_required",
			      gateway->options->as_globus != AS_GLOBUS_OPTIONAL);
	cJSON_AddNullToObject(json, "authentication_timeout_mins");
	cJSON_AddNullToObject(json, "allowed_domains");
	return answer_envelope(200, "success", "The stream gateways of this endpoint", json);
}
