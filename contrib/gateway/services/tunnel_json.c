#include "contrib/gateway/services/tunnel_json.h"

#include <time.h>

static void add_text_or_null(cJSON *json, const char *key, const char *text)
{
	if (text && *text)
		cJSON_AddStringToObject(json, key, text);
	else
		cJSON_AddNullToObject(json, key);
}

static void add_port_or_null(cJSON *json, const char *key, uint16_t port)
{
	if (port)
		cJSON_AddNumberToObject(json, key, port);
	else
		cJSON_AddNullToObject(json, key);
}

static void add_time(cJSON *json, const char *key, int64_t seconds)
{
	time_t time = seconds;
	struct tm tm;
	char text[64];

	gmtime_r(&time, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+00:00", &tm);
	cJSON_AddStringToObject(json, key, text);
}

cJSON *relationship_json(const char *type, const char *id)
{
	cJSON *json = cJSON_CreateObject(), *data = cJSON_AddObjectToObject(json, "data");

	cJSON_AddStringToObject(data, "type", type);
	cJSON_AddStringToObject(data, "id", id);
	return json;
}

static const char *status_text(const struct tunnel *tunnel)
{
	static const char *const texts[] = {
		[TUNNEL_AWAITING_LISTENER] = "The tunnel is waiting for its listener's contact.",
		[TUNNEL_ACTIVE] = "The tunnel is active.",
		[TUNNEL_STOPPED] = "The tunnel has been stopped."};

	if (tunnel->state == TUNNEL_ACTIVE && !tunnel->lan)
		return "The tunnel is active, but its LAN port could not be opened.";
	return texts[tunnel->state];
}

static cJSON *attributes(const struct request *request, const struct tunnel *tunnel)
{
	cJSON *json = cJSON_CreateObject();
	union address address;
	char host[ADDRESS_TEXT_MAX];

	request_local_address(request, &address);
	address_host(&address, host);
	cJSON_AddStringToObject(json, "submission_id", tunnel->submission_id);
	if (tunnel->labelled)
		cJSON_AddStringToObject(json, "label", tunnel->label);
	else
		cJSON_AddNullToObject(json, "label");
	cJSON_AddStringToObject(json, "state", tunnel_state_name(tunnel));
	cJSON_AddStringToObject(json, "status", status_text(tunnel));
	cJSON_AddNumberToObject(json, "lifetime_mins", (double)tunnel->lifetime_mins);
	cJSON_AddBoolToObject(json, "restartable", tunnel->restartable);
	add_time(json, "created_time", tunnel->created);
	add_text_or_null(json, "listener_ip_address", tunnel->listener.host);
	add_port_or_null(json, "listener_port", tunnel->listener.port);
	add_text_or_null(json, "initiator_ip_address", tunnel->lan ? host : NULL);
	add_port_or_null(json, "initiator_port", tunnel->lan ? tunnel->initiator_port : 0);
	return json;
}

cJSON *tunnel_json(const struct request *request, const struct tunnel *tunnel)
{
	cJSON *json = cJSON_CreateObject(), *relationships;

	cJSON_AddStringToObject(json, "type", "Tunnel");
	cJSON_AddStringToObject(json, "id", tunnel->id);
	cJSON_AddItemToObject(json, "attributes", attributes(request, tunnel));
	relationships = cJSON_AddObjectToObject(json, "relationships");
	cJSON_AddItemToObject(
		relationships, "initiator",
		relationship_json("StreamAccessPoint", tunnel->access_point[SIDE_INITIATOR]));
	cJSON_AddItemToObject(
		relationships, "listener",
		relationship_json("StreamAccessPoint", tunnel->access_point[SIDE_LISTENER]));
	cJSON_AddItemToObject(relationships, "owner", relationship_json("Identity", tunnel->owner));
	return json;
}

const char *event_code_name(const struct event *event)
{
	static const char *const names[] = {[EVENT_STARTED] = "STARTED",
					    [EVENT_ACTIVE] = "TUNNEL_ACTIVE",
					    [EVENT_STOPPED] = "TUNNEL_STOPPED",
					    [EVENT_LISTENER_FAILED] = "LISTENER_FAILED",
					    [EVENT_LISTENER_REACHED] = "LISTENER_REACHED"};

	return names[event->code];
}

cJSON *event_json(const struct event *event)
{
	static const char *const descriptions[] = {
		[EVENT_STARTED] = "started",
		[EVENT_ACTIVE] = "tunnel active",
		[EVENT_STOPPED] = "tunnel stopped",
		[EVENT_LISTENER_FAILED] = "listener cannot be used",
		[EVENT_LISTENER_REACHED] = "listener reached again"};
	cJSON *json = cJSON_CreateObject(), *attributes;

	cJSON_AddStringToObject(json, "type", "TunnelEvent");
	cJSON_AddNumberToObject(json, "id", (double)event->id);
	attributes = cJSON_AddObjectToObject(json, "attributes");
	cJSON_AddStringToObject(attributes, "code", event_code_name(event));
	cJSON_AddBoolToObject(attributes, "is_error", event->code == EVENT_LISTENER_FAILED);
	cJSON_AddStringToObject(attributes, "description", descriptions[event->code]);
	cJSON_AddStringToObject(attributes, "details", event->details);
	add_time(attributes, "time", event->time);
	return json;
}
