#include <check.h>
#include <string.h>

#include "tests/unit/services.h"
#include "tests/unit/suite.h"

#define ANSWER(text) .body = text, .len = sizeof(text) - 1

#define REQUEST_ID               "\"meta\":{\"request_id\":\"C6C7W9F6M\"}"
#define RELATION(name, type, id) "\"" name "\":{\"data\":{\"type\":\"" type "\",\"id\":\"" id "\"}}"
#define TUNNEL                                                                                     \
	"{\"type\":\"Tunnel\",\"id\":\"" TUNNEL_ID "\",\"attributes\":{"                           \
	"\"submission_id\":\"06051d07-92d7-4c31-a6aa-197c5f5bd85f\",\"label\":\"mine\","           \
	"\"state\":\"ACTIVE\",\"status\":\"The tunnel is active.\",\"lifetime_mins\":360,"         \
	"\"restartable\":false,\"created_time\":\"2026-11-22T15:50:55+00:00\","                    \
	"\"listener_ip_address\":\"127.0.0.1\",\"listener_port\":8888,"                            \
	"\"initiator_ip_address\":\"127.0.0.1\",\"initiator_port\":43099},\"relationships\":"      \
	"{" RELATION("initiator", "StreamAccessPoint", INITIATOR_AP) "," RELATION(                 \
		"listener", "StreamAccessPoint", LISTENER_AP) "," RELATION("owner", "Identity",    \
									   CLIENT_ID) "}}"
#define ACCESS_POINT                                                                               \
	"{\"type\":\"StreamAccessPoint\",\"id\":\"" LISTENER_AP "\",\"attributes\":{"              \
	"\"display_name\":\"Lab listener access point\","                                          \
	"\"tlsftp_server\":\"tlsftp://127.0.0.1:39041\",\"description\":\"A stream access "        \
	"point\","                                                                                 \
	"\"organization\":\"Lab\",\"advertised_owner\":null,\"contact_email\":\"a@example.org\","  \
	"\"contact_info\":\"room 1\",\"department\":\"D\",\"info_link\":\"https://example.org\","  \
	"\"keywords\":[\"a\"]},\"relationships\":{" RELATION("host_endpoint", "Endpoint",          \
							     ENDPOINT_ID) "}}"
#define GRANT(token, scope, server)                                                                \
	"\"access_token\":\"" token "\",\"refresh_token\":\"r" token "\",\"scope\":\"" scope "\"," \
	"\"expires_in\":172800,\"token_type\":\"Bearer\",\"resource_server\":\"" server "\""
#define ENVELOPE(code, message, data)                                                              \
	"{\"DATA_TYPE\":\"result#1.0.0\",\"code\":\"success\",\"http_response_code\":" code ","    \
	"\"message\":\"" message "\",\"detail\":null,\"data\":[" data "],"                         \
	"\"authorization_parameters\":null}"

const struct route routes[] = {
	{"GET",
	 "/v2/tunnels/" TUNNEL_ID "/events",
	 {200,
	  ANSWER("{\"data\":[{\"type\":\"TunnelEvent\",\"id\":1,\"attributes\":{"
		 "\"code\":\"STARTED\",\"is_error\":false,\"description\":\"started\","
		 "\"details\":\"The tunnel was created\",\"time\":\"2026-11-22T15:50:55+00:00\""
		 "}}]," REQUEST_ID ",\"links\":{\"next\":null}}")}},
	{"GET", "/v2/tunnels/" TUNNEL_ID, {200, ANSWER("{\"data\":" TUNNEL "," REQUEST_ID "}")}},
	{"PATCH", "/v2/tunnels/" TUNNEL_ID, {200, ANSWER("{\"data\":" TUNNEL "," REQUEST_ID "}")}},
	{"DELETE", "/v2/tunnels/" TUNNEL_ID, {200, ANSWER("{\"data\":null," REQUEST_ID "}")}},
	{"GET",
	 "/v2/tunnels",
	 {200, ANSWER("{\"data\":[" TUNNEL "]," REQUEST_ID ",\"links\":{\"next\":null}}")}},
	{"POST", "/v2/tunnels", {201, ANSWER("{\"data\":" TUNNEL "," REQUEST_ID "}")}},
	{"GET",
	 "/v2/stream_access_points/",
	 {200, ANSWER("{\"data\":" ACCESS_POINT "," REQUEST_ID "}")}},
	{"GET",
	 "/v2/stream_access_points",
	 {200, ANSWER("{\"data\":[" ACCESS_POINT "]," REQUEST_ID ",\"links\":{\"next\":null}}")}},
	{"GET",
	 "/v0.10/endpoint/" ENDPOINT_ID,
	 {200, ANSWER("{\"DATA_TYPE\":\"endpoint\",\"id\":\"" ENDPOINT_ID "\","
		      "\"display_name\":\"Lab\",\"entity_type\":\"GCSv5_endpoint\","
		      "\"gcs_manager_url\":\"" BASE "/gcs\",\"gcs_version\":\"5.4.0\"}")}},
	{"GET",
	 "/gcs/api/info",
	 {200, ANSWER(ENVELOPE("200", "success",
			       "{\"DATA_TYPE\":\"info#1.0.0\",\"api_version\":\"1.29.0\","
			       "\"endpoint_id\":\"" ENDPOINT_ID "\","
			       "\"globus_streams_lan_auth\":[\"v1\"]}"))}},
	{"GET",
	 "/gcs/api/stream_gateways",
	 {200, ANSWER(ENVELOPE("200", "success", "{\"lan_secret_required\":true}"))}},
	{"POST",
	 "/gcs/api/lan_secrets",
	 {201,
	  ANSWER(ENVELOPE("201", "created",
			  "{\"DATA_TYPE\":\"lan_secret#1.0.0\",\"id\":\"" SECRET_ID "\","
			  "\"secret\":\"76baaa36a35da550374df25d1a0ff17e\","
			  "\"expires\":1795384255,\"tunnel_id\":\"" TUNNEL_ID "\","
			  "\"stream_access_point_id\":\"" LISTENER_AP "\","
			  "\"identity_id\":\"" CLIENT_ID "\",\"username\":\"u@example.org\"}"))}},
	{"DELETE", "/gcs/api/lan_secrets/", {200, ANSWER(ENVELOPE("200", "deleted", ""))}},
	{"POST", "/v2/oauth2/token/revoke", {200, ANSWER("{\"active\":false}")}},
	{"POST",
	 "/v2/oauth2/token",
	 {200, ANSWER("{" GRANT("11a1", TRANSFER_ALL, TRANSFER_NAME) ",\"other_tokens\":[{" GRANT(
		       "57f9", MANAGE, ENDPOINT_ID) "}]}")}},
	{"GET",
	 "/v2/oauth2/userinfo",
	 {200, ANSWER("{\"sub\":\"" CLIENT_ID "\",\"preferred_username\":\"ada@example.org\","
		      "\"name\":\"Ada\",\"email\":\"ada@example.org\","
		      "\"identity_provider_display_name\":\"Lab\"}")}},
};
const size_t routes_count = COUNT(routes);

const struct route *services_route(const char *method, const char *path)
{
	for (size_t i = 0; i < routes_count; i++)
		if (!strcmp(routes[i].method, method) && !strcmp(routes[i].path, path))
			return &routes[i];
	ck_abort_msg("no route %s %s", method, path);
	return NULL;
}
