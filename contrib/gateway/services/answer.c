#include "contrib/gateway/services/answer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/gateway/base/cleanup.h"

struct answer answer_json(unsigned int status, cJSON *json)
{
	return (struct answer){.status = status, .json = json};
}

struct answer answer_text(unsigned int status, const char *text)
{
	return (struct answer){.status = status, .text = strdup(text)};
}

struct answer answer_redirect(const char *location)
{
	return (struct answer){.status = 302, .location = strdup(location)};
}

void answer_finish(struct answer *answer)
{
	cJSON_Delete(answer->json);
	free(answer->text);
	free(answer->location);
	*answer = (struct answer){0};
}

static void add_request_id(cJSON *json)
{
	uint8_t bytes[9];
	char id[sizeof(bytes) + 1] = {0};

	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		id[i] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"[bytes[i] & 31];
	cJSON_AddStringToObject(json, "request_id", id);
}

/* What a new login must ask for, as Globus services tell their clients. */
static cJSON *authorization_parameters(const char *scope)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "session_message",
				"A login that grants another scope is required");
	cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "required_scopes"),
			     cJSON_CreateString(scope));
	return json;
}

/* "NotFound" → "Not found" */
static void title_of(const char *code, char *title, size_t size)
{
	size_t used = 0;

	for (; *code && used + 2 < size; code++) {
		if (isupper((unsigned char)*code) && used > 0)
			title[used++] = ' ';
		title[used] = used > 0 ? (char)tolower((unsigned char)*code) : *code;
		used++;
	}
	title[used] = '\0';
}

/* "NotFound" → "not_found" */
static void snake_of(const char *code, char *snake, size_t size)
{
	title_of(code, snake, size);
	*snake = (char)tolower((unsigned char)*snake);
	for (; *snake; snake++) {
		if (*snake == ' ')
			*snake = '_';
	}
}

static cJSON *jsonapi_error(unsigned int status, const char *code, const char *message,
			    const char *scope)
{
	cJSON *json = cJSON_CreateObject(), *error = cJSON_CreateObject();
	char text[64];

	cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "errors"), error);
	snprintf(text, sizeof(text), "%u", status);
	cJSON_AddStringToObject(error, "status", text);
	cJSON_AddStringToObject(error, "code", code);
	title_of(code, text, sizeof(text));
	cJSON_AddStringToObject(error, "title", text);
	cJSON_AddStringToObject(error, "detail", message);
	if (scope)
		cJSON_AddItemToObject(error, "authorization_parameters",
				      authorization_parameters(scope));
	add_request_id(cJSON_AddObjectToObject(json, "meta"));
	return json;
}

static cJSON *v010_error(const char *code, const char *message, const char *scope)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "code", code);
	cJSON_AddStringToObject(json, "message", message);
	if (scope)
		cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "required_scopes"),
				     cJSON_CreateString(scope));
	add_request_id(json);
	return json;
}

static cJSON *oauth_error(const char *code, const char *message)
{
	cJSON *json = cJSON_CreateObject();
	char text[64];

	snake_of(code, text, sizeof(text));
	cJSON_AddStringToObject(json, "error", text);
	cJSON_AddStringToObject(json, "error_description", message);
	return json;
}

static cJSON *envelope(unsigned int status, const char *code, const char *message, cJSON *data,
		       const char *scope)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "DATA_TYPE", "result#1.0.0");
	cJSON_AddStringToObject(json, "code", code);
	cJSON_AddNumberToObject(json, "http_response_code", status);
	cJSON_AddStringToObject(json, "message", message);
	cJSON_AddNullToObject(json, "detail");
	cJSON_AddArrayToObject(json, "data");
	if (data)
		cJSON_AddItemToArray(cJSON_GetObjectItem(json, "data"), data);
	if (scope)
		cJSON_AddItemToObject(json, "authorization_parameters",
				      authorization_parameters(scope));
	else
		cJSON_AddNullToObject(json, "authorization_parameters");
	return json;
}

struct answer answer_envelope(unsigned int status, const char *code, const char *message,
			      cJSON *data)
{
	return answer_json(status, envelope(status, code, message, data, NULL));
}

static cJSON *error_json(enum service service, unsigned int status, const char *code,
			 const char *message, const char *scope)
{
	char snake[64];

	switch (service) {
	case SERVICE_AUTH:
		return oauth_error(code, message);
	case SERVICE_TRANSFER_V010:
		return v010_error(code, message, scope);
	case SERVICE_GCS:
		snake_of(code, snake, sizeof(snake));
		return envelope(status, snake, message, NULL, scope);
	case SERVICE_TRANSFER_V2:
	default:
		return jsonapi_error(status, code, message, scope);
	}
}

struct answer answer_error(const struct request *request, unsigned int status, const char *code,
			   const char *message)
{
	struct answer answer =
		answer_json(status, error_json(request->service, status, code, message, NULL));

	if (status == 401)
		answer.authenticate = "Bearer";
	return answer;
}

struct answer answer_scope_missing(const struct request *request, const char *scope)
{
	return answer_json(403, error_json(request->service, 403, "ConsentRequired",
					   "The token does not have the required scope", scope));
}

struct answer answer_data(unsigned int status, cJSON *data)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddItemToObject(json, "data", data ? data : cJSON_CreateNull());
	add_request_id(cJSON_AddObjectToObject(json, "meta"));
	return answer_json(status, json);
}
